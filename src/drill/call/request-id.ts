/** The request header of the id, which access logs of a drill contain. */
export const drillIdHeader = 'x-drill-id';

/** Prefix of the ids of probes: not part of the load, and excluded from all counts. */
export const probePrefix = 'probe:';

/** Prefix of the ids of hostile requests: counted by the drill that sends them, not as load. */
export const hostilePrefix = 'hostile:';

/** Whether a request with that id is part of the load; one without an id, such as a health check, is not. */
export function isOfLoad(id: string): boolean {
  return id !== '' && !id.startsWith(probePrefix) && !id.startsWith(hostilePrefix);
}

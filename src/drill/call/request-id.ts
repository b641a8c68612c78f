/** What the ids of probes begin with: they are not part of the load and are left out of all counts. */
export const probePrefix = 'probe:';

/**
 * What the ids of hostile requests begin with: they are counted by the drill that sends them, apart from the
 * load.
 */
export const hostilePrefix = 'hostile:';

/** Whether a request with that id is part of the load; one without an id, such as a health check, is not. */
export function isOfLoad(id: string): boolean {
  return id !== '' && !id.startsWith(probePrefix) && !id.startsWith(hostilePrefix);
}

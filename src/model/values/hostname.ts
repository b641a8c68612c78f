/**
 * A host as it is compared: in small letters, as DNS and Envoy's routes do not tell capitals apart, and
 * without the dot that stands for the root (`example.org.`, RFC 1034, 3.1).
 */
export function canonicalHost(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

/** Whether a host, or a pattern for hosts, can stand for others than itself. */
export function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*');
}

/** Whether a pattern for hosts covers `host`, which may be a pattern itself. */
export function covers(pattern: string, host: string): boolean {
  return isWildcard(pattern) ? host.endsWith(pattern.slice(1)) : host === pattern;
}

/** Every pattern that covers `host`, the most specific first. */
export function* patternsOf(host: string): Generator<string> {
  yield host;
  for (let i = 1; i <= host.length; i++) yield `*${host.slice(i)}`;
}

/**
 * What a host that somebody names from a namespace may mean, the likeliest first: itself, and where it is a
 * short name, as Istio resolves it, the service of that name in the namespace (`reviews` →
 * `reviews.NAMESPACE.svc.cluster.local`).
 */
export function meaningsOf(host: string, namespace: string): readonly string[] {
  return host.includes('.') || isWildcard(host) || namespace === ''
    ? [host]
    : [host, `${host}.${namespace}.svc.cluster.local`];
}

/**
 * Whether requests for `wanted`, a host or a pattern for hosts, may be for the Group `host`: also where the
 * Group's own host is a pattern that covers what is wanted.
 */
export function reaches(wanted: string, host: string): boolean {
  return covers(wanted, host) || (isWildcard(host) && covers(host, wanted));
}

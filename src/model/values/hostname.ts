const dnsLabel = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** A DNS name of labels of letters, digits and `-`; no wildcard, no trailing dot. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => dnsLabel.test(label));
}

/**
 * A host of a ServiceEntry or DestinationRule, in the form of `canonicalHost`: a DNS name, or `*.` before
 * one. Not `*` alone.
 */
export function isHost(text: string): boolean {
  return isDnsName(text.startsWith('*.') ? text.slice(2) : text);
}

/**
 * The canonical form of a host: lower case, as DNS and Envoy's routes ignore case, and without the root's dot
 * (`example.org.`, RFC 1034, 3.1).
 */
export function canonicalHost(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

/** Whether a host pattern can match other hosts. */
export function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*');
}

/** Whether a host pattern covers `host`, which may be a pattern itself. */
export function patternCovers(pattern: string, host: string): boolean {
  return isWildcard(pattern) ? host.endsWith(pattern.slice(1)) : host === pattern;
}

/** Every pattern that covers `host`, the most specific first. */
export function* patternsOf(host: string): Generator<string> {
  yield host;
  for (let i = 1; i <= host.length; i++) yield `*${host.slice(i)}`;
}

/**
 * Possible meanings of a host named in a namespace, likeliest first: itself, and a short name also as Istio
 * resolves it, as that service in the namespace (`reviews` → `reviews.NAMESPACE.svc.cluster.local`).
 */
export function meaningsOf(host: string, namespace: string): readonly string[] {
  return host.includes('.') || isWildcard(host) || namespace === ''
    ? [host]
    : [host, `${host}.${namespace}.svc.cluster.local`];
}

/**
 * Whether requests for `wanted`, a host or a pattern, may be for the Group `host`, which may be a pattern
 * too.
 */
export function mayMatchHost(wanted: string, host: string): boolean {
  return patternCovers(wanted, host) || (isWildcard(host) && patternCovers(host, wanted));
}

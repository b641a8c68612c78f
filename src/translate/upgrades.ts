import type { envoy, HttpConnectionManager } from '../../protos/gen/envoy.d.ts';

/** Protocols that an HTTP connection may be upgraded to: websockets, Kubernetes (`spdy/3.1`), Docker (`tcp`). */
const protocols = ['websocket', 'spdy/3.1', 'tcp'] as const;

/** What comes after the first character that differs: visible ASCII, as names have (RFC 9110, 5.6.2). */
const rest = '[!-~]*';

/**
 * Upgrades that pass (Envoy knows no wildcard). Over HTTP/2 they are extended CONNECT requests (RFC 8441), which
 * `allow_connect` permits.
 */
export const upgrades: HttpConnectionManager['upgrade_configs'] = protocols.map((upgrade_type) => ({
  upgrade_type,
}));

/**
 * Any other upgrade is ignored, and the request answered as if it had not asked (RFC 9110, 7.8): Envoy alone answers
 * 403, and there are clients that ask with each request, such as Apache HttpClient for TLS.
 */
export const ignoredUpgrades: readonly envoy.type.matcher.v3.StringMatcher[] = noneOf(protocols).map(
  (regex) => ({
    safe_regex: { regex: `(?i)${regex}` },
  }),
);

/**
 * RE2 patterns that together match all names but these, which are in small letters: RE2 has no negation but that of a
 * character. One for each first letter, as Envoy bounds the size of a pattern.
 */
export function noneOf(names: readonly string[]): readonly string[] {
  const branches = byFirst(names);
  return [
    `${but(branches.keys())}${rest}`,
    ...[...branches].map(([first, rests]) => `${byte(first)}${differing(rests)}`),
  ];
}

/** A pattern of all texts but these. */
function differing(texts: readonly string[]): string {
  const branches = byFirst(texts);
  const longer = [...branches].map(([first, rests]) => `${byte(first)}${differing(rests)}`);
  const others = [`${but(branches.keys())}${rest}`, ...longer].join('|');
  return texts.includes('') ? `(?:${others})` : `(?:${others})?`;
}

/** What follows each first character. */
function byFirst(texts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const firsts = new Map<string, string[]>();
  for (const text of texts) {
    if (text === '') continue;
    const first = text.slice(0, 1);
    firsts.set(first, [...(firsts.get(first) ?? []), text.slice(1)]);
  }
  return firsts;
}

/** Visible ASCII but these characters, of letters both forms, as ranges. */
function but(characters: Iterable<string>): string {
  const taken = new Set([...characters].flatMap((char) => [char, char.toUpperCase()]));
  const ranges: string[] = [];
  let start: number | undefined;
  for (let code = 0x21; code <= 0x7f; code += 1) {
    const isTaken = code === 0x7f || taken.has(String.fromCharCode(code));
    if (!isTaken) start ??= code;
    else if (start !== undefined) {
      ranges.push(`${byte(String.fromCharCode(start))}-${byte(String.fromCharCode(code - 1))}`);
      start = undefined;
    }
  }
  return `[${ranges.join('')}]`;
}

function byte(character: string): string {
  return /[a-z0-9]/i.test(character) ? character : `\\x${character.charCodeAt(0).toString(16)}`;
}

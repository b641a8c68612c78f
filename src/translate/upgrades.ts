import type { envoy, HttpConnectionManager } from '../../protos/gen/envoy.d.ts';

/**
 * Protocols that an HTTP connection may be upgraded to: websockets, Kubernetes (`spdy/3.1`), Docker (`tcp`).
 */
const protocols = ['websocket', 'spdy/3.1', 'tcp'] as const;

/** So many patterns in one: more of them are more than that for the longest. */
const together = 3;

/** What comes after the first character that differs: visible ASCII, as names have (RFC 9110, 5.6.2). */
const rest = '[!-~]*';

/**
 * Upgrades that pass (Envoy knows no wildcard). Over HTTP/2 they are extended CONNECT requests (RFC 8441),
 * which
 * `allow_connect` permits.
 */
export const upgrades: HttpConnectionManager['upgrade_configs'] = protocols.map((upgrade_type) => ({
  upgrade_type,
}));

/**
 * Any other upgrade is ignored, and the request answered as if it had not asked (RFC 9110, 7.8): Envoy alone
 * answers 403, and there are clients that ask with each request, such as Apache HttpClient for TLS.
 */
export const ignoredUpgrades: readonly envoy.type.matcher.v3.StringMatcher[] = noneOf(protocols).map(
  (regex) => ({
    safe_regex: { regex: `(?i)${regex}` },
  }),
);

/**
 * RE2 patterns that together match all names but these, which are in small letters: RE2 has no negation but
 * that of a character. For each beginning of a name, what goes on in another way or not at all; a few of them
 * in a pattern, as Envoy before 1.39 takes none of more than 100 instructions
 * (`re2.max_program_size.error_level`).
 */
export function noneOf(names: readonly string[]): readonly string[] {
  const beginnings = new Set(
    names.flatMap((name) => Array.from({ length: name.length + 1 }, (_, length) => name.slice(0, length))),
  );
  const patterns = [...beginnings].map((beginning) => {
    const longer = names.filter((name) => name.startsWith(beginning) && name !== beginning);
    const other = `${but(longer.map((name) => name.slice(beginning.length, beginning.length + 1)))}${rest}`;
    const isWhole = beginning === '' || names.includes(beginning);
    return `${[...beginning].map(byte).join('')}${isWhole ? other : `(?:${other})?`}`;
  });
  return Array.from({ length: Math.ceil(patterns.length / together) }, (_, i) =>
    patterns.slice(i * together, (i + 1) * together).join('|'),
  );
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

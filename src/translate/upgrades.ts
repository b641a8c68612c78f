import type { envoy, HttpConnectionManager } from '../../protos/gen/envoy.d.ts';

/** Upgrade protocols: websockets, Kubernetes (`spdy/3.1`), Docker (`tcp`). */
const protocols = ['websocket', 'spdy/3.1', 'tcp'] as const;

/** Alternatives per pattern, such that the longest stays below the limit. */
const alternativesMax = 3;

/** After the first differing character: visible ASCII, as in names (RFC 9110, 5.6.2). */
const visibleAscii = '[!-~]*';

/**
 * Allowed upgrades (Envoy has no wildcard). Over HTTP/2 they are extended CONNECT requests (RFC 8441),
 * permitted by `allow_connect`.
 */
export const upgrades: HttpConnectionManager['upgrade_configs'] = protocols.map((upgrade_type) => ({
  upgrade_type,
}));

/**
 * Any other upgrade is ignored, and the request answered without it (RFC 9110, 7.8): Envoy would answer 403,
 * and some clients ask with each request, such as Apache HttpClient for TLS.
 */
export const ignoredUpgrades: readonly envoy.type.matcher.v3.StringMatcher[] = noneOf(protocols).map(
  (regex) => ({
    safe_regex: { regex: `(?i)${regex}` },
  }),
);

/**
 * RE2 patterns that together match all names except these, given in lower case: RE2 has no negation but of a
 * character. For each prefix of a name, the continuations that differ, or its end; a few in a pattern, as
 * Envoy before 1.39 refuses more than 100 instructions (`re2.max_program_size.error_level`).
 */
export function noneOf(names: readonly string[]): readonly string[] {
  const beginnings = new Set(
    names.flatMap((name) => Array.from({ length: name.length + 1 }, (_, length) => name.slice(0, length))),
  );
  const patterns = [...beginnings].map((beginning) => {
    const longer = names.filter((name) => name.startsWith(beginning) && name !== beginning);
    const other = `${charactersExcept(longer.map((name) => name.slice(beginning.length, beginning.length + 1)))}${visibleAscii}`;
    const isWhole = beginning === '' || names.includes(beginning);
    return `${[...beginning].map(byte).join('')}${isWhole ? other : `(?:${other})?`}`;
  });
  return Array.from({ length: Math.ceil(patterns.length / alternativesMax) }, (_, i) =>
    patterns.slice(i * alternativesMax, (i + 1) * alternativesMax).join('|'),
  );
}

/** Visible ASCII except these characters in both cases, as ranges. */
function charactersExcept(characters: Iterable<string>): string {
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

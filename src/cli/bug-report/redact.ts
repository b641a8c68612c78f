/** Stands where a secret was. */
export const redacted = '[redacted]';

/** Parts of names of what is secret: fields, annotations, headers, flags, parameters. */
const secretWords =
  'pass(?:word|wd|phrase)|pwd|secret|token|credential|authori[sz]ation|cookie|api[-_.]?key|access[-_.]?key|private[-_.]?key|signature|session[-_.]?id|bearer';
const secretName = new RegExp(secretWords, 'i');

/** Names of what only says where a secret is. */
const pointer = /(?:file|path|folder|dir)["'\\]*\s*[:=]?\s*$/i;

/** Longest text that is looked through, in characters: a longer one is left out. */
const textMax = 256 * 1024;

/** Shortest secret that is looked for word by word: shorter ones are words of the report. */
const knownMin = 6;

/** A rule for text: what matches is replaced, whole or but for what the first group has. */
interface Rule {
  readonly pattern: RegExp;
  readonly replace: (whole: string, ...groups: readonly string[]) => string;
}

const value = String.raw`(?!\[redacted\])(?:\\+"[^"\\]*\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&"'}\])]+)`;
const keepStart = (_: string, start = '') => `${start}${redacted}`;
const keepUnlessPointer = (whole: string, start = '') =>
  pointer.test(start.trim()) ? whole : `${start}${redacted}`;

const rules: readonly Rule[] = [
  // Keys and certificates (RFC 7468), also cut ones.
  {
    pattern: /-----BEGIN [A-Z0-9 ]{1,64}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,64}-----|$)/g,
    replace: () => redacted,
  },
  // User and password in a URL (RFC 3986, 3.2.1).
  {
    pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'<>]{1,512}@/gi,
    replace: (_, start = '') => `${start}${redacted}@`,
  },
  // A header to the end of its line.
  {
    pattern: /\b((?:proxy-)?authorization|(?:set-)?cookie)(["'\\]*\s*[:=]\s*)[^\n]{1,8192}/gi,
    replace: (_, name = '', sign = '') => `${name}${sign}${redacted}`,
  },
  { pattern: /\b((?:Bearer|Basic|Digest|Negotiate)\s+)[\w.~+/=-]{4,8192}/gi, replace: keepStart },
  // A flag and its value.
  {
    pattern: new RegExp(String.raw`(--[\w-]{0,64}(?:${secretWords})[\w-]{0,64}(?:\s+|=))(?!-)${value}`, 'gi'),
    replace: keepUnlessPointer,
  },
  // NAME=VALUE, NAME: VALUE, "NAME": "VALUE".
  {
    pattern: new RegExp(String.raw`((?:${secretWords})[\w./-]{0,64}["'\\]*\s{0,8}[:=]\s{0,8})${value}`, 'gi'),
    replace: keepUnlessPointer,
  },
  // A JSON Web Token (RFC 7519), and tokens that say what they are.
  { pattern: /\beyJ[\w-]{8,8192}\.[\w-]{4,8192}(?:\.[\w-]{0,8192})?/g, replace: () => redacted },
  {
    pattern: /\b(?:A(?:KIA|SIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|xox[abprs]-[\w-]{10,255})\b/g,
    replace: () => redacted,
  },
];

/** Fields that name what the fields beside them are about, as in events of changes. */
const naming: readonly string[] = ['path', 'field', 'name', 'key', 'header', 'flag', 'option'];
const named: readonly string[] = ['from', 'to', 'value', 'default', 'old', 'new'];

/** Takes secrets out of texts and values. */
export class Redactor {
  readonly #known: readonly string[];
  #count = 0;

  /** `known`: secrets that are known word by word, such as the token that was given. */
  constructor(known: Iterable<string>) {
    const forms = [...known].filter((one) => one.length >= knownMin).flatMap(formsOf);
    // The longest first: one may be the start of another.
    this.#known = [...new Set(forms)].sort((a, b) => b.length - a.length);
  }

  /** How many places were redacted. */
  get count(): number {
    return this.#count;
  }

  /** A text without what looks like a secret. Time grows with its length; a very long one is left out. */
  text(text: string): string {
    if (text.length > textMax) {
      this.#count += 1;
      return `[left out: ${text.length} characters]`;
    }
    let rest = text;
    for (const one of this.#known) rest = this.#replaceAll(rest, one);
    for (const { pattern, replace } of rules)
      rest = rest.replace(pattern, (whole, ...groups) => {
        const found = replace(whole, ...groups.filter((group) => typeof group === 'string'));
        if (found !== whole) this.#count += 1;
        return found;
      });
    return rest;
  }

  /**
   * The same for any number of lines: a secret of several lines, such as a key, is found within a part of
   * 128 KiB or less.
   */
  lines(text: string): string {
    const parts: string[] = [];
    for (let start = 0; start < text.length; ) {
      const end = text.length - start <= textMax / 2 ? -1 : text.lastIndexOf('\n', start + textMax / 2);
      const stop = end < start ? text.length : end + 1;
      parts.push(this.text(text.slice(start, stop)));
      start = stop;
    }
    return parts.join('');
  }

  /** A plain value in which no text has what looks like a secret, nor any field whose name says so. */
  value(given: unknown, name = ''): unknown {
    if (secretName.test(name) && !pointer.test(name) && isLeaf(given)) return this.#hide();
    if (typeof given === 'string') return this.text(given);
    if (Array.isArray(given)) return given.map((one) => this.value(one, name));
    if (typeof given !== 'object' || given === null) return given;
    const subject = naming.map((key) => (given as Record<string, unknown>)[key]).find(isSecretName);
    return Object.fromEntries(
      Object.entries(given).map(([key, one]) => {
        const isNamed = subject !== undefined && named.includes(key);
        const isHeader = /^headers$/i.test(name);
        return [this.text(key), (isNamed || isHeader) && one !== null ? this.#hide() : this.value(one, key)];
      }),
    );
  }

  #hide(): string {
    this.#count += 1;
    return redacted;
  }

  #replaceAll(text: string, secret: string): string {
    const parts = text.split(secret);
    this.#count += parts.length - 1;
    return parts.join(redacted);
  }
}

function isSecretName(text: unknown): text is string {
  return typeof text === 'string' && secretName.test(text) && !pointer.test(text);
}

function isLeaf(given: unknown): boolean {
  return typeof given === 'string' || typeof given === 'number';
}

/** A secret as it is, in JSON, in a URL and in base64. */
function formsOf(secret: string): readonly string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ];
}

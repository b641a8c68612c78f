/** A file of the tree: its path from the root, with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One import, export-from, dynamic import or `new URL(…, import.meta.url)` of a file. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** The line, from 1, of an offset in a text. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The text with comments, and if told so what strings and regular expressions say, replaced by spaces. */
export function blank(text: string, what: 'comments' | 'comments and strings'): string {
  let out = '';
  let at = 0;
  const keep = (end: number) => {
    out += text.slice(at, end);
    at = end;
  };
  const erase = (end: number) => {
    out += text.slice(at, end).replace(/[^\n]/g, ' ');
    at = end;
  };
  while (at < text.length) {
    const rest = text.slice(at, at + 2);
    if (rest === '//') erase(endOf(text, at, '\n'));
    else if (rest === '/*') erase(endOf(text, at + 2, '*/') + 2);
    else {
      const end = literalEnd(text, at, out);
      if (end === undefined) keep(at + 1);
      else if (what === 'comments') keep(end);
      else erase(end);
    }
  }
  return out;
}

/** All that a file imports. */
export function importsOf(file: SourceFile): Import[] {
  const text = blank(file.text, 'comments');
  const patterns = [
    /^[ \t]*(?:import|export)\s+(?<type>type\s+)?(?:[^'";]*?\sfrom\s+)?['"](?<specifier>[^'"]+)['"]/gm,
    /\bimport\(\s*['"](?<specifier>[^'"]+)['"]/g,
    /\bnew URL\(\s*['"](?<specifier>\.[^'"]+\.ts)['"],\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      specifier: match.groups?.specifier ?? '',
      typeOnly: match.groups?.type !== undefined,
      line: lineAt(text, match.index + match[0].length),
    })),
  );
}

/**
 * Where the string, template or regular expression that starts at `at` ends; undefined: none starts there.
 */
function literalEnd(text: string, at: number, before: string): number | undefined {
  const quote = text[at];
  if (quote === "'" || quote === '"') return delimited(text, at, quote);
  if (quote === '`') return templateEnd(text, at);
  // A slash divides after a value and opens a regular expression after anything else.
  if (quote === '/' && /(?:^|[^\w\s)\]}'"`]|\b(?:return|typeof|case|in|of))\s*$/.test(before.slice(-80))) {
    return delimited(text, at, '/');
  }
  return undefined;
}

function delimited(text: string, start: number, quote: string): number {
  let inClass = false;
  for (let i = start + 1; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '\n') return i;
    else if (quote === '/' && char === '[') inClass = true;
    else if (quote === '/' && char === ']') inClass = false;
    else if (char === quote && !inClass) return i + 1;
  }
  return text.length;
}

/** Templates are erased whole, with the expressions in them: those are short. */
function templateEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start + 1; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '$' && text[i + 1] === '{') depth++;
    else if (char === '}' && depth > 0) depth--;
    else if (char === '`' && depth > 0) i = templateEnd(text, i) - 1;
    else if (char === '`') return i + 1;
  }
  return text.length;
}

function endOf(text: string, from: number, mark: string): number {
  const end = text.indexOf(mark, from);
  return end < 0 ? text.length : end;
}

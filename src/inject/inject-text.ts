import { stringify } from 'yaml';
import { type PathPart, renderPath } from '../model/values/field-path.ts';
import { loadDocument, locatePaths, splitDocuments, YamlFault } from '../registry/files/yaml.ts';
import type { InjectSettings } from './settings.ts';
import { injectObject } from './workloads.ts';

/** A file of objects after injection. */
export interface InjectedText {
  /** All documents in their order; those without a change are as they were, byte for byte. */
  readonly text: string;
  /** Objects whose Pods were left alone, and why. */
  readonly skipped: readonly string[];
  /** `file:line:column: field: what is wrong`; with one the text is of no use. */
  readonly faults: readonly string[];
  /** Documents that were changed. */
  readonly changed: number;
}

/** Injects all documents of a YAML file. `file`: its name in messages. Never throws for what is in it. */
export function injectText(
  file: string,
  text: string,
  settings: InjectSettings,
  namespace: string,
): InjectedText {
  const parts: string[] = [];
  const skipped: string[] = [];
  const faults: string[] = [];
  let changed = 0;
  for (const document of splitDocuments(text)) {
    const whereOf = (line: number, column: number) => `${file}:${document.line + line - 1}:${column}`;
    try {
      const raw = loadDocument(document.text);
      const result = injectObject(raw, settings, namespace);
      const isChanged = result.object !== raw;
      if (isChanged) changed += 1;
      parts.push(isChanged ? printed(result.object) : document.text);
      skipped.push(...result.skipped);
      const places = locatePaths(
        document.text,
        result.faults.map(({ path }) => path),
      );
      for (const [index, { path, message }] of result.faults.entries()) {
        const { line = 1, column = 1 } = places[index] ?? {};
        faults.push(`${whereOf(line, column)}: ${shown(path)}${message}`);
      }
    } catch (reason) {
      if (!(reason instanceof YamlFault)) throw reason;
      faults.push(`${whereOf(reason.position.line, reason.position.column)}: not YAML: ${reason.message}.`);
    }
  }
  return { text: joined(parts), skipped, faults, changed };
}

const shown = (path: readonly PathPart[]) => (path.length === 0 ? '' : `${renderPath(path)}: `);

/** Long arguments stay on one line: folded ones are hard to compare. */
function printed(object: unknown): string {
  return stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Each document but the first begins with a marker. */
function joined(parts: readonly string[]): string {
  return parts
    .map((part, index) => {
      const whole = part.endsWith('\n') ? part : `${part}\n`;
      return index === 0 || /^---(?:\s|$)/.test(whole) ? whole : `---\n${whole}`;
    })
    .join('');
}

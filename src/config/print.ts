import { stringify } from 'yaml';
import { configKind, ownApiVersion } from '../model/values/api-version.ts';
import { type Setting, showOrigin } from './setting.ts';
import { fileValue, shownOptions } from './shown-settings.ts';
import type { FileValue } from './value-kind.ts';

/** The settings as JSON for scripts: `{apiVersion, kind, options}`. */
export function settingsJson(settings: readonly Setting[]): string {
  const options = shownOptions(settings);
  return `${JSON.stringify({ apiVersion: ownApiVersion, kind: configKind, options }, null, 2)}\n`;
}

/**
 * The settings as an equivalent file, with the origin of each value as a comment; options without a value are
 * commented out. Paths are absolute, so that the file means the same wherever it is saved.
 */
export function settingsYaml(settings: readonly Setting[]): string {
  const lines = [`apiVersion: ${ownApiVersion}`, `kind: ${configKind}`];
  let open: readonly string[] = [];
  for (const setting of settings) {
    const groups = setting.path.slice(0, -1);
    for (const [depth, key] of groups.entries()) {
      if (open.slice(0, depth + 1).join('.') === groups.slice(0, depth + 1).join('.')) continue;
      const isSet = settings.some(
        (other) =>
          fileValue(other) !== undefined &&
          groups.slice(0, depth + 1).every((part, i) => other.path[i] === part),
      );
      lines.push(`${'  '.repeat(depth)}${isSet ? '' : '# '}${key}:`);
    }
    open = groups;
    const indent = '  '.repeat(groups.length);
    const key = setting.path.at(-1) ?? '';
    const value = fileValue(setting);
    lines.push(
      value === undefined
        ? `${indent}# ${key}: none`
        : `${indent}${key}: ${yamlOf(value)} # ${showOrigin(setting.origin)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** On one line, so that a comment can follow. */
function yamlOf(value: FileValue): string {
  const isPlain = typeof value !== 'string' || /^[\x20-\x7e]*$/.test(value);
  return isPlain
    ? stringify(value, { lineWidth: 0, collectionStyle: 'flow', flowCollectionPadding: false }).trim()
    : JSON.stringify(value);
}

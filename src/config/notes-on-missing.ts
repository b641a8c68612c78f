import { existsSync } from 'node:fs';
import type { ConfigFile } from './config-file.ts';
import { showOrigin } from './setting.ts';

/**
 * Notes on files and folders that `isthmus serve` needs at its start and that are missing on this machine.
 * They are no errors: a file may be checked on another machine than it is for.
 */
export function notesOnMissing({ values }: ConfigFile): readonly string[] {
  const needed = ['admin.tokenFile'];
  // With a last good state it starts without them.
  if (!values.has('state.folder')) needed.push('registry.folder', 'registry.kubeconfig');
  return needed.flatMap((name) => {
    const given = values.get(name);
    const path = String(given?.value ?? '').replace(/^files:/, '');
    if (given === undefined || existsSync(path)) return [];
    return [
      `${showOrigin(given.origin)}: note: ${name}: ${path} does not exist on this machine: isthmus serve needs it.`,
    ];
  });
}

import type { Meta } from '../../../model/meta.ts';
import { show } from '../fault.ts';
import type { Fields } from '../fields.ts';

/**
 * Parses `exportTo`: namespaces, `.` for the object's own, `*` for all, `~` for none. Undefined: all, also
 * for an absent or empty list.
 */
export function parseExportTo(spec: Fields, meta: Meta): { readonly exportTo?: readonly string[] } {
  const list = spec.strings('exportTo');
  const names = new Set<string>();
  for (const { text, index } of list) {
    if (text === '.') names.add(meta.namespace);
    else if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) names.add(text);
    else if (text === '~' && list.length > 1)
      spec.error("'~' is nobody, and stands alone: remove it, or the others.", 'exportTo', index);
    else if (text !== '*' && text !== '~')
      spec.error(`${show(text)} is not a namespace, '.', '*' or '~': correct it.`, 'exportTo', index);
  }
  return list.length === 0 || list.some(({ text }) => text === '*') ? {} : { exportTo: [...names].sort() };
}

import type { PlacedOption } from './option.ts';
import { optionList } from './options.ts';

/** The options as a Markdown table. */
export function optionsTable(): string {
  const rows = optionList.map((placed) => {
    const { name, row } = placed;
    return [
      `\`${name}\``,
      `\`${row.flag}\``,
      defaultOf(placed),
      cell(row.kind.range),
      cell(row.words),
      row.why,
    ];
  });
  const header = ['option', 'flag', 'default', 'takes', 'what it does', 'why the default'];
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function defaultOf({ row: { presence, byDefault, derived } }: PlacedOption): string {
  if (byDefault !== undefined) return byDefault;
  return derived?.words ?? (presence === 'always' ? 'must be given' : 'none');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

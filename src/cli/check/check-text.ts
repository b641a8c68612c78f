import { counted } from '../../base/text/counted.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { type CheckLine, checkTopics, countResults } from './check-line.ts';

/** The results as text: by topic, what is found, what was tried, and what to do. */
export function checkText(lines: readonly CheckLine[]): string {
  const blocks = checkTopics.flatMap((topic) => {
    const own = lines.filter((line) => line.topic === topic);
    return own.length === 0 ? [] : [[topic, ...own.flatMap(lineText)].join('\n')];
  });
  const { ok, warn, fail, 'not seen': unseen } = countResults(lines);
  const sum = `${fail} failed, ${counted(warn, 'warning')}, ${unseen} not seen, ${ok} ok`;
  return `${[...blocks, sum].join('\n\n')}\n`;
}

function lineText({ result, what, tried, found, todo }: CheckLine): readonly string[] {
  const head = `  ${result.padEnd('not seen'.length)}  ${what}: ${found} (${tried})`;
  const lines = todo === undefined ? [head] : [head, `${' '.repeat(12)}→ ${todo}`];
  return lines.map(printable);
}

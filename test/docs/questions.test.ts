import { readFileSync } from 'node:fs';
import t from 'tap';
import { questionsOf } from '../../src/drill/drills/questions/asked/questions.ts';
import type { Question } from '../../src/drill/drills/questions/question.ts';
import { argumentsOf } from '../../src/drill/drills/questions/run-command.ts';
import { questionsWorld } from '../../src/drill/drills/questions/world.ts';
import { planTopology } from '../../src/drill/world/topology.ts';

const page = readFileSync(new URL('../../docs/questions.md', import.meta.url), 'utf8');
const topology = planTopology({ id: '0a1b2c', slot: 0, world: questionsWorld });
const questions = questionsOf(topology);

const rowOf = ({ question, command, at, witness }: Question) => {
  const where = at === undefined || at.includes('sh-a') ? '' : ` (of ${at.join(' and ')})`;
  return `| ${question} | \`isthmus ${command}\`${where} | ${witness} |`;
};

/** Rows of the page by its headings. */
function rowsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const parts = text.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [heading = '', ...lines] = part.split('\n');
      return [heading, lines.filter((line) => line.startsWith('| ')).slice(1)] as const;
    }),
  );
}

const headings: Readonly<Record<Question['when'], string>> = {
  steady: 'Before anything happens',
  'half dead': 'While the IDC is half dead',
  nobody: 'When the last instance of a host dies',
  recovery: 'When all is back',
};

t.test('the page has each question, with its command and what the answer is held against', async (t) => {
  const rows = rowsOf(page);
  t.strictSame([...rows.keys()], Object.values(headings));
  for (const [when, heading] of Object.entries(headings))
    t.strictSame(rows.get(heading), questions.filter((one) => one.when === when).map(rowOf), heading);
});

t.test('each question is one of its own', async (t) => {
  t.ok(questions.length > 30);
  t.equal(new Set(questions.map(({ id }) => id)).size, questions.length);
});

t.test('each command asks the control plane of its IDC, for JSON where it has some', async (t) => {
  const stage = { topology };
  for (const question of questions) {
    const args = argumentsOf(question, stage, '/proposed');
    t.notOk(args.includes('DIR'));
    for (const idc of question.at ?? ['sh-a'])
      t.ok(args.includes(`127.${idc === 'sh-a' ? 1 : 2}.0.2:15014`), `${question.id} ${idc}`);
    t.equal(args.at(-1) === 'json', !question.command.startsWith('wait'), question.id);
  }
});

import { machineId } from '../../judge/machine.ts';
import { type Nearness, nearnessOf } from '../../judge/nearness.ts';
import type { Row } from '../../judge/row.ts';
import { rowState } from '../../judge/verdict.ts';
import { usedWords } from '../headline.ts';
import { escapeHtml as e } from './markup.ts';
import { type Column, stackedTable } from './stacked-table.ts';

/** From this part of its bound on a row is told to be close. */
const closeFrom = 0.8;

interface Judged {
  readonly row: Row;
  readonly state: ReturnType<typeof rowState>;
  readonly near: Nearness | undefined;
}

/** Groups in their order; a row belongs to the first that takes it. */
const groups: readonly {
  readonly name: string;
  readonly about: string;
  readonly takes: (judged: Judged) => boolean;
}[] = [
  { name: 'Missed', about: '', takes: ({ state }) => state === 'missed' },
  {
    name: 'Not judged',
    about: 'The machine was too busy to judge times.',
    takes: ({ state }) => state === 'unjudged',
  },
  {
    name: 'The evidence',
    about: 'What the measurement itself rests on: logs and counters agree, and nothing went another way.',
    takes: ({ row: { id, bound } }) =>
      id === machineId || bound === 'holds' || /^isolation-|^reconcile-/.test(id),
  },
  {
    name: 'Kept, with a margin',
    about: 'Nearest to its bound first.',
    takes: ({ near }) => near?.kind === 'quantity',
  },
  { name: 'Kept, counted', about: 'Counts against a limit.', takes: ({ near }) => near !== undefined },
  { name: 'Kept, with no margin', about: 'All, or none.', takes: () => true },
];

/** Where each group stands on the page: what needs eyes first, what the rest leans on last. */
const order = [
  'Missed',
  'Not judged',
  'Kept, with a margin',
  'Kept, with no margin',
  'Kept, counted',
  'The evidence',
];

const columns: readonly Column[] = [
  { head: 'State', hidden: true },
  { head: 'What must hold' },
  { head: 'Bound' },
  { head: 'Measured' },
  { head: 'How near' },
];

/** The verdict, its rows in groups by how near each came to its bound. */
export function verdictSection(rows: readonly Row[]): string {
  const judged = rows.map((row) => ({ row, state: rowState(row, { rows }), near: nearnessOf(row) }));
  const grouped = Map.groupBy(judged, (each) => groups.find(({ takes }) => takes(each))?.name ?? '');
  const parts = order.flatMap((name) => {
    const list = grouped.get(name) ?? [];
    if (list.length === 0) return [];
    const sorted = list.toSorted((a, b) => (b.near?.used ?? 0) - (a.near?.used ?? 0));
    const { about = '' } = groups.find((group) => group.name === name) ?? {};
    return [
      `<h3>${e(name)} <span class="count">${list.length}</span></h3>${about === '' ? '' : `<p class="note">${e(about)}</p>`}` +
        tableOf(name, sorted),
    ];
  });
  return `<section aria-labelledby="verdict"><h2 id="verdict">Verdict</h2>${parts.join('\n')}</section>`;
}

/** Without the column of margins where no row has one. */
function tableOf(name: string, list: readonly Judged[]): string {
  const count = list.some(({ near }) => near) ? columns.length : columns.length - 1;
  const rows = list.map(rowOf).map((row) => ({ ...row, cells: row.cells.slice(0, count) }));
  return stackedTable('verdict', name, columns.slice(0, count), rows);
}

const words = { ok: 'kept', missed: 'missed', unjudged: 'not judged' } as const;

function rowOf({ row, state, near }: Judged) {
  return {
    css: state === 'ok' ? 'good' : state === 'missed' ? 'bad' : 'unjudged',
    cells: [
      `${icon(state)}<span class="state-word">${words[state]}</span>`,
      e(row.claim),
      `<span class="bound">${e(row.bound)}</span>`,
      e(row.measured),
      near ? bar(near.used, state === 'missed') : '<span class="none">no margin</span>',
    ],
  };
}

/** A bar from 0 to what was used, with a tick at the bound. */
function bar(used: number, missed: boolean): string {
  const tone = missed ? 'over' : used >= closeFrom ? 'close' : 'roomy';
  const whole = Number.isFinite(used) ? Math.max(1, used) : 4;
  const part = (value: number) => ((100 * Math.min(value, whole)) / whole).toFixed(0);
  return `<span class="bar" aria-hidden="true"><i class="${tone}" style="width:${part(Math.max(0, used))}%"></i><b style="left:${part(1)}%"></b></span><span class="used">${usedWords(used)}</span>`;
}

/** A mark of a verdict: a shape of its own for each state, so that no colour is needed to tell them. */
export function icon(state: Judged['state']): string {
  const paths = {
    ok: 'M3 8.5 6.5 12 13 4.5',
    missed: 'M4 4 12 12M12 4 4 12',
    unjudged: 'M5.5 5.5a2.5 2.5 0 1 1 3.4 2.4C8.3 8.2 8 8.7 8 9.6M8 12.4v.1',
  } as const;
  return `<svg class="icon ${state}" viewBox="0 0 16 16" aria-hidden="true"><path d="${paths[state]}"/></svg>`;
}

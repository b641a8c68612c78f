import type { Row } from '../../judge/row.ts';
import { crossingRows, isolationRows, leakRow, reconcileRows, successRow } from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import type { Measurement } from '../../measure/measurement.ts';
import type { ReportTable } from '../../report/table.ts';
import type { AnsweredQuestion } from './question.ts';

/** What the drill measures besides what every drill does. */
export interface QuestionFacts {
  readonly answers: readonly AnsweredQuestion[];
  /** Ids of all questions that were to be asked. */
  readonly asked: readonly string[];
}

type M = Measurement & QuestionFacts;

/** The rows of a protected run: one for each question, and that the load was not affected. */
export function judgeQuestions(m: M): Row[] {
  return [
    ...m.asked.map((id) => answerRow(id, m)),
    successRow(m, 1),
    ...crossingRows(m, 1),
    leakRow(m),
    ...isolationRows(m, ['sidecars before the load', 'control', 'instances before the load']),
    ...isolationRows(m, ['sidecars after the load', 'instances after the load']),
    ...reconcileRows(m),
  ];
}

function answerRow(id: string, { answers }: M): Row {
  const found = answers.find((one) => one.id === id);
  if (found === undefined)
    return { id: `answer-${id}`, claim: id, bound: 'agrees', measured: 'not asked', ok: false };
  const { question, command, said, envoys, agreed, when } = found;
  return {
    ...{ id: `answer-${id}`, claim: `${question} (${when})`, bound: 'agrees', ok: agreed },
    measured: agreed ? `${said} (${tookText(found)})` : `${command} says: ${said}. Envoys say: ${envoys}`,
  };
}

function tookText({ tookMs, times }: AnsweredQuestion): string {
  return `after ${(tookMs / 1000).toFixed(1)} s${times > 1 ? `, asked ${times} times` : ''}`;
}

/**
 * Why the failure of a run whose control planes cannot read proxies may not have the right reason: what needs
 * no reading must agree, and all that needs it must not.
 */
export function judgeQuestionsControl({ answers }: M, verdict: Verdict): string[] {
  const guessed = answers.filter(({ reads, agreed }) => reads && agreed);
  const others = answers.filter(({ reads, agreed }) => !reads && !agreed);
  return [
    ...(verdict.passed ? ['nothing failed'] : []),
    ...(answers.some(({ reads }) => reads) ? [] : ['nothing was asked that needs proxies to be read']),
    ...guessed.map(({ id }) => `${id} agreed although no proxy could be read`),
    ...others.map(({ id }) => `${id} did not agree, and needs no proxy to be read`),
  ];
}

/** The table of the report: question, command, what it said, what Envoys say. */
export function questionTable({ answers }: Pick<M, 'answers'>): ReportTable {
  return {
    id: 'questions',
    title: 'Questions, and what Envoys say',
    note: 'Each command was run as an operator runs it, until its answer and the Envoys agreed. Both are put into the same words.',
    columns: ['When', 'Question', 'Command', 'It said', 'Envoys say'],
    rows: answers.map((one) => ({
      ok: one.agreed,
      cells: [
        one.when,
        one.question,
        one.command,
        `${one.said} (${tookText(one)})`,
        `${one.envoys} (${one.witness})`,
      ],
    })),
  };
}

import { sleep } from '../../../base/clock.ts';
import { machineClock } from '../../time.ts';
import type { Stage } from '../../world/stage.ts';
import type { AnsweredQuestion, CommandOutput, Question, QuestionEvidence } from './question.ts';
import { argumentsOf, askCommand } from './run-command.ts';

/** Commands at a time: most wait for a proxy that does not answer. */
const together = 4;

/** Interval between two rounds of a question, in milliseconds. */
const everyMs = 250;

/** Asks questions until commands and Envoys agree. */
interface Asker {
  /** Asks what foretells a step, and notes what the Envoys say before it. */
  askAhead(questions: readonly Question[]): Promise<void>;
  /** Asks until all agree, each at most until `byMs` of the machine's clock. Never rejects for an answer. */
  ask(questions: readonly Question[], byMs: number): Promise<readonly AnsweredQuestion[]>;
}

/** An asker in a world. `dir`: the folder of a proposed change. */
export function createAsker(stage: Stage, evidence: QuestionEvidence, dir: string): Asker {
  const ahead = new Map<Question, CommandOutput>();
  const argsOf = (question: Question) => argumentsOf(question, stage, dir);
  return {
    async askAhead(questions) {
      for (const question of questions) {
        ahead.set(question, await askCommand(stage, argsOf(question)));
        await wordsOf(() => question.envoys(evidence));
      }
    },
    async ask(questions, byMs) {
      const from = machineClock.now();
      // One command answers several questions.
      const groups = [...Map.groupBy(questions, (one) => argsOf(one).join(' ')).values()];
      const answers = new Map<Question, AnsweredQuestion>();
      const agreed = (group: readonly Question[]) => group.every((one) => answers.get(one)?.agreed);
      for (let times = 1; !groups.every(agreed); times += 1) {
        if (times > 1) await sleep(machineClock, everyMs, stage.signal);
        const line = groups.filter((group) => !agreed(group)).values();
        const next = async () => {
          for (const group of line) {
            // What has not been asked at all is asked once, whatever the time.
            if (machineClock.now() > byMs && group.every((one) => answers.has(one))) continue;
            for (const one of await askOnce(group, from, times)) answers.set(...one);
          }
        };
        await Promise.all(Array.from({ length: together }, next));
        if (machineClock.now() > byMs) break;
      }
      return questions.flatMap((one) => answers.get(one) ?? []);
    },
  };

  async function askOnce(
    group: readonly Question[],
    from: number,
    times: number,
  ): Promise<readonly (readonly [Question, AnsweredQuestion])[]> {
    const [first] = group as [Question];
    const args = argsOf(first);
    const output = ahead.get(first) ?? (await askBeside(group, args, stage, evidence));
    return Promise.all(
      group.map(async (question) => {
        const found = await compare(question, output, evidence);
        const tookMs = machineClock.now() - from;
        return [question, { ...found, command: shownCommand(args), tookMs, times }] as const;
      }),
    );
  }
}

/** Runs a command, and what its questions do meanwhile. */
async function askBeside(
  group: readonly Question[],
  args: readonly string[],
  stage: Stage,
  evidence: QuestionEvidence,
): Promise<CommandOutput> {
  const running = askCommand(stage, args);
  await Promise.all(group.map((one) => one.during?.(evidence, running)));
  return running;
}

type Compared = Omit<AnsweredQuestion, 'command' | 'tookMs' | 'times'>;

async function compare(
  question: Question,
  output: CommandOutput,
  evidence: QuestionEvidence,
): Promise<Compared> {
  const { id, when, question: words, witness, reads, shows } = question;
  const said = await wordsOf(async () => question.said(output, evidence));
  const envoys = await wordsOf(() => question.envoys(evidence));
  const agrees = question.agrees ?? ((a: string, b: string) => a === b);
  const agreed = said.ok && envoys.ok && shows.test(envoys.words) && agrees(said.words, envoys.words);
  return { id, when, question: words, witness, reads, said: said.words, envoys: envoys.words, agreed };
}

/** A side that cannot be put into words says why. */
async function wordsOf(
  tell: () => Promise<string>,
): Promise<{ readonly ok: boolean; readonly words: string }> {
  try {
    return { ok: true, words: await tell() };
  } catch (reason) {
    return { ok: false, words: `(${reason instanceof Error ? reason.message : String(reason)})` };
  }
}

/** As an operator types it: without the format. */
function shownCommand(args: readonly string[]): string {
  return ['isthmus', ...args].join(' ').replace(/ -o json$/, '');
}

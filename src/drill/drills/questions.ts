import { join } from 'node:path';
import type { Drill, DrillPlan } from '../definition.ts';
import { callerLoad } from '../load/loads.ts';
import type { Scene } from '../scene.ts';
import { idcOf } from '../world/topology.ts';
import { createAsker } from './questions/ask.ts';
import { questionsOf } from './questions/asked/questions.ts';
import { QuestionFaults } from './questions/faults.ts';
import { halfDead } from './questions/names.ts';
import type { AnsweredQuestion, When } from './questions/question.ts';
import { createRequests } from './questions/requests.ts';
import {
  judgeQuestions,
  judgeQuestionsControl,
  type QuestionFacts,
  questionTable,
} from './questions/verdict.ts';
import { createWitnesses } from './questions/witnesses.ts';
import { questionsParts, questionsWorld } from './questions/world.ts';

/** How long before the end of a phase its questions are to be answered, in milliseconds. */
const spareMs = 1_500;

/** `make drill-questions`: an IDC is half dead, and each question of an operator is asked by its command. */
export const questionsDrill: Drill<QuestionFacts> = {
  name: 'questions',
  summary: 'ask every question of an operator while an IDC is half dead',
  description:
    'Start two IDCs of real Envoys; kill instances and a gateway, deregister an instance, evacuate a part, make a proxy refuse a push. Judges that what `isthmus who`, `top`, `explain`, `status`, `check`, `wait`, `events`, `config`, `diff`, `instances` and `version` answer is what the Envoys themselves say, and what real requests meet.',
  unprotected:
    'proxies do not say where their admin interfaces are, so control planes know the registry alone: the negative control',
  flags: [],
  rates: { caller: 30 },
  plan: ({ unprotected, quick }): DrillPlan<QuestionFacts> => ({
    title: `${halfDead} is half dead, and an operator asks`,
    label: unprotected ? 'questions unprotected' : 'questions',
    phases: quick
      ? { steady: 7, 'half dead': 36, nobody: 10, recovery: 12 }
      : { steady: 15, 'half dead': 60, nobody: 20, recovery: 40 },
    world: questionsWorld,
    parts: (parts, context) => questionsParts(parts, context, !unprotected),
    // Not for the host that nobody serves in the end: its requests must fail.
    loads: (topology, { caller = 0 }) => [
      callerLoad(idcOf(topology, halfDead), ['checkout.shop', 'orders.shop', 'stock.shop'], caller),
    ],
    play,
    judge: judgeQuestions,
    judgeControl: judgeQuestionsControl,
    tables: (m) => [questionTable(m)],
    figures: ({ answers }) => ({ answers }),
    control: {
      off: 'control planes cannot read proxies',
      proves: 'answers by the registry alone do not agree with the Envoys',
      misses: ['answer-who-away', 'answer-way-away', 'answer-hosts-elsewhere', 'answer-event-failover'],
    },
  }),
};

async function play(scene: Scene): Promise<QuestionFacts> {
  const { stage } = scene;
  const evidence = { envoys: createWitnesses(stage), requests: createRequests(stage) };
  const dir = join(stage.paths.dir, 'proposed');
  const asker = createAsker(stage, evidence, dir);
  const questions = questionsOf(stage.topology);
  const answers: AnsweredQuestion[] = [];
  const ask = async (when: When, isAhead = false) => {
    const own = questions.filter((one) => one.when === when && (one.isAhead ?? false) === isAhead);
    answers.push(...(await asker.ask(own, scene.span(when).to - spareMs)));
  };
  const ahead = (when: When) => asker.askAhead(questions.filter((one) => one.when === when && one.isAhead));
  const faults = new QuestionFaults(scene);

  faults.propose(dir);
  await scene.begin('steady');
  await ask('steady');
  await ahead('steady');
  await faults.change();
  await ask('steady', true);

  await scene.begin('half dead');
  await faults.halve();
  await ask('half dead');

  await ahead('nobody');
  await scene.begin('nobody');
  await faults.killRest();
  await ask('nobody');
  await ask('nobody', true);

  await scene.begin('recovery');
  await faults.heal();
  await ask('recovery');
  await scene.ended();
  return { answers, asked: questions.map(({ id }) => id) };
}

import type { Topology } from '../../../world/topology.ts';
import type { Question } from '../question.ts';
import { changeQuestions } from './change-questions.ts';
import { eventQuestions } from './event-questions.ts';
import { statusQuestions } from './status-questions.ts';
import { wayQuestions } from './way-questions.ts';
import { whoQuestions } from './who-questions.ts';

/** All questions that an operator has, in the order of the report. */
export function questionsOf(topology: Topology): readonly Question[] {
  return [
    ...whoQuestions(topology),
    ...wayQuestions(topology),
    ...statusQuestions(topology),
    ...changeQuestions(topology),
    ...eventQuestions(topology),
  ];
}

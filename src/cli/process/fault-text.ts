import { MeshError } from '../../base/error.ts';
import { failureText } from '../../base/failure-text.ts';
import { printableLines } from '../../base/text/safe-excerpt.ts';
import { wrongAnswer } from '../../client/answers/wrong-answer.ts';

/**
 * What is said of an error that ends a command: as `failureText`, but of a fault of this process that a
 * foreign server's answer explains, that.
 */
export async function faultOrAnswerText(reason: unknown): Promise<string> {
  const text = failureText(reason);
  const told = MeshError.from(reason).code === 'internal' ? await wrongAnswer() : undefined;
  if (told === undefined) return text;
  // With ISTHMUS_DEBUG the stack stays below.
  const stack = text.includes('\n') ? `\n${text}` : '';
  return `${printableLines(told)}${stack}`;
}

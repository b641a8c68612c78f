import { MeshError } from '../../base/error.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { NoAnswer } from './silence.ts';

/** The error of a control plane that has not answered, and why (`callHttp`): code `unavailable`. */
export function noAnswerOf(admin: ListenAddress, cause: unknown): MeshError {
  const hint = cause instanceof NoAnswer && cause.isAway ? '. Is it running?' : '';
  const message = `the control plane at ${showAddress(admin)} does not answer: ${(cause as Error).message}${hint}`;
  return new MeshError('unavailable', message, { cause });
}

/** Whether an error says that there was no answer: asking again soon would find the same. */
export function isNoAnswer(error: MeshError): boolean {
  return error.cause instanceof NoAnswer;
}

/** Whether nothing accepts connections at the address: it may be a wrong one. */
export function isNobodyThere({ cause }: MeshError): boolean {
  return cause instanceof NoAnswer && cause.isAway;
}

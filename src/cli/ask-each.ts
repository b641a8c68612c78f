import { MeshError } from '../base/error.ts';
import { isNobodyThere } from '../client/answers/no-answer.ts';
import { wrongAnswer } from '../client/answers/wrong-answer.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { defaultAdmin } from './options/admin.ts';

const adminHint = 'Give its address with --admin';

/** What one control plane says; `error`: why it says nothing. */
export type AdminReply<T> = { readonly admin: string } & (
  | { readonly reply: T }
  | { readonly error: MeshError }
);

/** Asks several control planes at once. Throws MeshError where none has an answer, with what each says. */
export async function askEach<T>(
  admin: readonly ListenAddress[],
  question: (where: ListenAddress) => Promise<T>,
): Promise<readonly AdminReply<T>[]> {
  return withAnyReply(await Promise.all(admin.map((where) => askOne(where, question))));
}

/** These replies. Throws MeshError where none is an answer, with what each says. */
export function withAnyReply<T>(replies: readonly AdminReply<T>[]): readonly AdminReply<T>[] {
  const errors = replies.flatMap((one) => ('error' in one ? [one] : []));
  const [first] = errors;
  if (first === undefined || errors.length < replies.length) return replies;
  if (errors.length === 1) throw first.error;
  throw new MeshError(first.error.code, errors.map(errorText).join('\n'));
}

/** Why a control plane says nothing, with its address. */
export function errorText({ admin, error }: { readonly admin: string; readonly error: MeshError }): string {
  return error.message.includes(admin) ? error.message : `${admin}: ${error.message}`;
}

/** Asks one control plane of several: that it does not answer is a part of the result. */
export async function askOne<T>(
  where: ListenAddress,
  question: (where: ListenAddress) => Promise<T>,
): Promise<AdminReply<T>> {
  const admin = showAddress(where);
  try {
    return { admin, reply: await question(where) };
  } catch (reason) {
    const error = await toldError(admin, MeshError.from(reason));
    // Nobody has named this address: it may be another.
    const isGuess = where === defaultAdmin[0] && isNobodyThere(error);
    return {
      admin,
      error: isGuess
        ? new MeshError(error.code, `${error.message} ${adminHint}`, { cause: error.cause })
        : error,
    };
  }
}

/** A fault of this process at a foreign server's answer is a fault of that. */
async function toldError(admin: string, error: MeshError): Promise<MeshError> {
  const told = error.code === 'internal' ? await wrongAnswer(admin) : undefined;
  return told === undefined ? error : new MeshError('unavailable', told, { cause: error.cause });
}

/** Replies as JSON and YAML list them: each with its control plane, or why there is none. */
export function listReplies<T extends object>(replies: readonly AdminReply<T>[]): readonly object[] {
  return replies.map((one) =>
    'reply' in one ? { admin: one.admin, ...one.reply } : { admin: one.admin, error: one.error.message },
  );
}

/** Texts of what control planes have, each under its address if there are several. */
export function textsByAdmin<T extends { readonly admin: string }>(
  found: readonly T[],
  textOf: (one: T) => string,
): string {
  return found
    .map((one) => `${found.length === 1 ? '' : `At the control plane ${one.admin}:\n`}${textOf(one)}`)
    .join('\n');
}

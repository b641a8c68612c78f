import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';

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
  const replies = await Promise.all(admin.map((where) => askOne(where, question)));
  const errors = replies.flatMap((one) => ('error' in one ? [one] : []));
  const [first] = errors;
  if (first === undefined || errors.length < replies.length) return replies;
  if (errors.length === 1) throw first.error;
  const words = errors.map(({ admin: name, error }) =>
    error.message.includes(name) ? error.message : `${name}: ${error.message}`,
  );
  throw new MeshError(first.error.code, words.join('\n'));
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
    return { admin, error: MeshError.from(reason) };
  }
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

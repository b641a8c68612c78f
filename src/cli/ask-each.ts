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
  const replies = await Promise.all(
    admin.map(async (where): Promise<AdminReply<T>> => {
      const name = showAddress(where);
      try {
        return { admin: name, reply: await question(where) };
      } catch (reason) {
        return { admin: name, error: MeshError.from(reason) };
      }
    }),
  );
  const errors = replies.flatMap((one) => ('error' in one ? [one] : []));
  const [first] = errors;
  if (first === undefined || errors.length < replies.length) return replies;
  if (errors.length === 1) throw first.error;
  const words = errors.map(({ admin: name, error }) =>
    error.message.includes(name) ? error.message : `${name}: ${error.message}`,
  );
  throw new MeshError(first.error.code, words.join('\n'));
}

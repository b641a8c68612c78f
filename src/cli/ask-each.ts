import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';

/** What one control plane says; `error`: why it says nothing. */
export type Told<T> = { readonly admin: string } & ({ readonly said: T } | { readonly error: MeshError });

/** Asks several control planes at once. Throws MeshError where none has an answer, with what each says. */
export async function askEach<T>(
  admin: readonly ListenAddress[],
  question: (where: ListenAddress) => Promise<T>,
): Promise<readonly Told<T>[]> {
  const told = await Promise.all(
    admin.map(async (where): Promise<Told<T>> => {
      const name = showAddress(where);
      try {
        return { admin: name, said: await question(where) };
      } catch (reason) {
        return { admin: name, error: MeshError.from(reason) };
      }
    }),
  );
  const errors = told.flatMap((one) => ('error' in one ? [one] : []));
  const [first] = errors;
  if (first === undefined || errors.length < told.length) return told;
  if (errors.length === 1) throw first.error;
  const words = errors.map(({ admin: name, error }) =>
    error.message.includes(name) ? error.message : `${name}: ${error.message}`,
  );
  throw new MeshError(first.error.code, words.join('\n'));
}

import type { Authority } from '../../../trust/ca/authority.ts';

/** Does something with an authority. Throws MeshError `not-found` if the folder has none. */
export async function withAuthority<T>(
  dir: string,
  work: (authority: Authority) => T | Promise<T>,
): Promise<T> {
  const { Authority } = await import('../../../trust/ca/authority.ts');
  const authority = new Authority(dir);
  try {
    return await work(authority);
  } finally {
    authority.close();
  }
}

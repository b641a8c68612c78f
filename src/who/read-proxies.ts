import type { NodeRole } from '../model/node.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { ReadClusters } from './read-clusters.ts';
import type { AskedProxy, SeenClusters } from './types.ts';
import { type Way, wayTo } from './way.ts';

/** Most proxies asked for a host, of each role; most that are read at once; most questions at once. */
export const whoLimits = { proxiesMax: 32, readsMax: 16, questionsMax: 8 } as const;

/** So many of each role, those first that can be read. */
export function chooseProxies(
  having: readonly AskedProxy[],
  mostOf: (role: NodeRole) => number = () => whoLimits.proxiesMax,
): readonly AskedProxy[] {
  const byRole = Map.groupBy(having, ({ role }) => role);
  return [...byRole].flatMap(([role, list]) => {
    const [readable, others] = [list.filter(isReadable), list.filter((one) => !isReadable(one))];
    return [...readable, ...others].slice(0, mostOf(role));
  });
}

function isReadable(proxy: AskedProxy): boolean {
  return 'port' in wayTo(proxy);
}

/** Reads clusters of several at a time; a string: why there is no answer. */
export function readAll(
  proxies: readonly AskedProxy[],
  names: readonly string[],
  read: ReadClusters,
): Promise<ReadonlyMap<AskedProxy, SeenClusters | string>> {
  return readEach(proxies, (at) => read(at, names));
}

/** Reads several at a time; a string: why there is no answer. */
export async function readEach<T>(
  proxies: readonly AskedProxy[],
  read: (at: ListenAddress) => Promise<T>,
): Promise<ReadonlyMap<AskedProxy, T | string>> {
  const found = new Map<AskedProxy, T | string>();
  const line = proxies.values();
  const next = async () => {
    for (const proxy of line) found.set(proxy, await readOne(wayTo(proxy), read));
  };
  await Promise.all(Array.from({ length: whoLimits.readsMax }, next));
  return found;
}

async function readOne<T>(way: Way, read: (at: ListenAddress) => Promise<T>): Promise<T | string> {
  if ('why' in way) return way.why;
  try {
    return await read(way);
  } catch (reason) {
    return `it does not answer at ${way.address}:${way.port}: ${(reason as Error).message}`;
  }
}

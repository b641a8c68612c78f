import { createServer, type Server } from 'node:net';
import { MeshError } from '../../base/error.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';

/**
 * Holding a slot keeps its addresses from other drills of this machine; the kernel frees it with the process.
 */
interface Slot {
  readonly number: number;
  release(): Promise<void>;
}

const slots = 250;
const slotPort = 15000;

/**
 * Claims the first free slot from `first` on (0 to 249): a listening socket on `127.1.SLOT.1:15000` is the
 * lock. Throws MeshError 'unavailable' when all are taken.
 */
export async function claimSlot(first: number): Promise<Slot> {
  for (let i = 0; i < slots; i += 1) {
    const number = (first + i) % slots;
    const server = await tryListen({ address: `127.1.${number}.1`, port: slotPort });
    if (server instanceof Error) continue;
    server.unref();
    return { number, release: () => new Promise((resolve) => server.close(() => resolve())) };
  }
  throw new MeshError('unavailable', `All ${slots} slots for drills on this machine are taken.`);
}

/**
 * Checks that every address can be listened on, by doing so for a moment. Throws MeshError 'conflict' that
 * names those that cannot, before anything of a drill was started.
 */
export async function checkFree(addresses: readonly ListenAddress[]): Promise<void> {
  const taken: string[] = [];
  for (const address of addresses) {
    const server = await tryListen(address);
    if (server instanceof Error) taken.push(`${address.address}:${address.port} (${server.message})`);
    else await new Promise((resolve) => server.close(resolve));
  }
  if (taken.length === 0) return;
  const list = taken.join(', ');
  throw new MeshError('conflict', `The drill cannot listen on ${list}. End what does, or try again.`);
}

function tryListen({ address, port }: ListenAddress): Promise<Server | Error> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host: address, port, exclusive: true }, () => resolve(server));
  });
}

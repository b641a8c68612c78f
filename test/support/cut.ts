import { connect, createServer, type Socket } from 'node:net';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';

/** A way to an address that a test can cut. */
export interface Cut {
  readonly address: ListenAddress;
  /** True: nothing passes, and what was open is closed. */
  cut(is: boolean): void;
  close(): void;
}

/** Opens a way to `to`. */
export async function openCut(to: ListenAddress): Promise<Cut> {
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(to.port, to.address);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => one.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: { address: '127.0.0.1', port: (server.address() as { port: number }).port },
    cut(is) {
      isCut = is;
      if (is) for (const socket of open) socket.destroy();
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

import { createServer } from 'node:net';

/**
 * Where ports are taken from: above the default ports of Isthmus (15001 to 15445), which some tests use, and
 * below those that the system gives to outgoing connections. Each process has a range of its own, whose first
 * port it holds as long as it lives. Envoys listen with SO_REUSEPORT: two that were given one port would
 * share its connections, and no error would tell.
 */
const [first, perProcess, ranges] = [16_000, 200, 80];

let claimed: Promise<number> | undefined;
let given = 0;

/**
 * A port of `address` that nobody listens on, and that no other call here or in a test beside this one
 * returns.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  claimed ??= claimRange(process.pid % ranges);
  const base = await claimed;
  for (;;) {
    given += 1;
    if (given === perProcess) throw new Error(`more than ${perProcess - 1} ports for one test process`);
    const port = base + given;
    if (await isFree(address, port)) return port;
  }
}

/** The first port of a range that no other process has, which is held from now on. */
export async function claimRange(from: number): Promise<number> {
  for (let i = 0; i < ranges; i += 1) {
    const port = first + ((from + i) % ranges) * perProcess;
    if (await listens('127.0.0.1', port, true)) return port;
  }
  throw new Error(`${ranges} test processes have all ports`);
}

const isFree = (address: string, port: number) => listens(address, port, false);

function listens(address: string, port: number, keep: boolean): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => {
      if (!keep) return void server.close(() => resolve(true));
      // Does not keep the test from ending.
      server.unref();
      resolve(true);
    });
  });
}

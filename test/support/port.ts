import { createServer } from 'node:net';

/**
 * Where ports are taken from: below those that the system gives to outgoing connections. Each process has a range of
 * its own. Envoys listen with SO_REUSEPORT: two that were given one port would share its connections, and no error
 * would tell.
 */
const [first, perProcess, ranges] = [10_000, 200, 110];

let given = 0;

/** A port of `address` that nobody listens on, and that no other call here or in a test beside this one returns. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    if (given === perProcess) throw new Error(`more than ${perProcess} ports for one test process`);
    const port = first + (process.pid % ranges) * perProcess + given;
    given += 1;
    if (await isFree(address, port)) return port;
  }
}

function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok');

/**
 * A server that answers every request with 200, as cheaply as can be: it shares the machine with what is
 * measured.
 */
export function answeringServer(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    let tail = '';
    socket.on('data', (chunk) => {
      tail += chunk.toString('latin1');
      for (let end = tail.indexOf('\r\n\r\n'); end >= 0; end = tail.indexOf('\r\n\r\n')) {
        tail = tail.slice(end + 4);
        socket.write(answer);
      }
    });
    socket.on('error', () => socket.destroy());
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve({ port: (server.address() as { port: number }).port, server }),
    ),
  );
}

/** A request as a browser's might be, with these further headers. */
export function requestText(headers: Readonly<Record<string, string>>): string {
  const all = {
    host: 'checkout.example',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36',
    accept: 'application/json, text/plain, */*',
    'accept-language': 'en-GB,en;q=0.9,de;q=0.8',
    'accept-encoding': 'gzip, deflate, br',
    cookie: 'session=6c1f0e7a9b5d4c3f8a2e1d0b; theme=dark; region=emea',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `${['GET /v1/carts/8f14e45f HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`;
}

/** Connections to one listener, kept from round to round: what is measured is requests, not connections. */
export class Callers {
  readonly #sockets: readonly Socket[];

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  static async open(port: number, count: number): Promise<Callers> {
    const open = () =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
        socket.setEncoding('latin1').once('error', reject);
      });
    return new Callers(await Promise.all(Array.from({ length: count }, open)));
  }

  /**
   * Sends `count` requests, each connection its next when the last was answered. Rejects at the first answer
   * that is not 200.
   */
  async send(request: string, count: number): Promise<void> {
    let left = count;
    await Promise.all(
      this.#sockets.map(
        (socket) =>
          new Promise<void>((resolve, reject) => {
            let seen = '';
            const next = () => {
              if (left === 0) {
                socket.off('data', hear).off('close', lost);
                return resolve();
              }
              left--;
              socket.write(request);
            };
            const hear = (chunk: string) => {
              seen += chunk;
              if (!seen.endsWith('\r\n\r\nok')) {
                // Only an answer of the filter or of Envoy itself has another end.
                if (!seen.startsWith('HTTP/1.1 200') && seen.includes('\r\n\r\n')) reject(new Error(seen));
                return;
              }
              seen = '';
              next();
            };
            const lost = () => reject(new Error('Envoy closed a connection'));
            socket.on('data', hear).on('close', lost);
            next();
          }),
      ),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/**
 * CPU time of all threads of a process so far, in microseconds, by the scheduler's own account (nanoseconds).
 */
export function cpuUs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [runNs = '0'] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
    return sum + Number(runNs) / 1000;
  }, 0);
}

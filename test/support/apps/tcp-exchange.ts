import { connect, createServer, type Socket } from 'node:net';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress } from '../mesh.ts';

/** One end's part in an exchange of bytes over a connection. */
export interface Part {
  /** Bytes to send; none by default. */
  readonly sends?: number;
  /** When to begin: at once, or after the other end has ended. */
  readonly begins?: 'at-once' | 'after-end';
  /** What to do when all is sent: end this half, or reset the connection a little later. */
  readonly leaves?: 'end' | 'reset';
  /** Does not read for so long. */
  readonly readsAfterMs?: number;
}

/** Who does what. */
export interface Exchange {
  readonly client: Part;
  readonly server: Part;
}

/** What one end has seen of a connection. */
interface Seen {
  bytes: number;
  /** Whether all bytes are those that were sent, in order. */
  intact: boolean;
  how: 'open' | 'ended' | 'ECONNRESET' | string;
}

/** A server of exchanges, one exchange at a time. */
export interface ExchangeServer extends ListenAddress {
  /** The part that it plays in connections that come, and what it has seen in those so far. */
  play(part: Part): readonly Seen[];
  close(): void;
}

const block = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8) * 7) & 255));

/** Starts a server; it takes part in nothing until `play`. */
export async function exchangeServer(): Promise<ExchangeServer> {
  const address = await freeAddress();
  let [part, seen]: [Part, Seen[]] = [{}, []];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket.on('close', () => open.delete(socket)));
    seen.push(take(socket, part));
  });
  await new Promise<void>((resolve) => server.listen(address.port, address.address, resolve));
  return {
    ...address,
    play(next) {
      for (const socket of open) socket.destroy();
      part = next;
      seen = [];
      return seen;
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** Takes a part at one end of a connection; what is returned is filled in as it goes on. */
function take(
  socket: Socket,
  { sends = 0, begins = 'at-once', leaves = 'end', readsAfterMs = 0 }: Part,
): Seen {
  const seen: Seen = { bytes: 0, intact: true, how: 'open' };
  socket.on('data', (data) => {
    const at = seen.bytes % block.length;
    const expected = Buffer.concat([block.subarray(at), block, block]).subarray(0, data.length);
    seen.intact &&= data.equals(expected);
    seen.bytes += data.length;
  });
  socket.on('end', () => {
    seen.how = 'ended';
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.how = error.code ?? error.message;
  });
  if (readsAfterMs > 0) {
    socket.pause();
    setTimeout(() => socket.resume(), readsAfterMs);
  }
  const begin = () => send(socket, sends, leaves);
  if (begins === 'at-once') begin();
  else socket.on('end', begin);
  return seen;
}

function send(socket: Socket, left: number, leaves: 'end' | 'reset'): void {
  if (left > 0) {
    const more = () => send(socket, left - block.length, leaves);
    if (socket.write(block.subarray(0, Math.min(left, block.length)))) more();
    else socket.once('drain', more);
  } else if (leaves === 'end') socket.end();
  else setTimeout(() => socket.resetAndDestroy(), 50);
}

/**
 * Has `count` connections at once to an address that leads to `server`, each given up after 10 s of silence.
 * Returns what was broken and how often: an end that has not got every byte and the other's end as it was.
 * Nothing: all are whole. Of an end that resets the connection itself nothing is expected.
 */
export async function exchange(
  to: ListenAddress,
  server: ExchangeServer,
  parts: Exchange,
  count: number,
): Promise<Readonly<Record<string, number>>> {
  const atServer = server.play(parts.server);
  const atClient = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ host: to.address, port: to.port, allowHalfOpen: true });
      socket.setTimeout(10_000, () => socket.destroy());
      const seen = take(socket, parts.client);
      await new Promise((resolve) => socket.on('close', resolve));
      return seen;
    }),
  );
  const isOver = () => atServer.length === count && atServer.every(({ how }) => how !== 'open');
  for (let i = 0; i < 200 && !isOver() && parts.server.leaves !== 'reset'; i += 1)
    await sleep(systemClock, 20);
  const broken: Record<string, number> = {};
  const judge = (who: string, seen: Seen, { sends = 0, leaves }: Part) => {
    const how = leaves === 'reset' ? 'ECONNRESET' : 'ended';
    if (seen.bytes === sends && seen.intact && seen.how === how) return;
    const line = `${who} got ${seen.bytes}${seen.intact ? '' : ', altered'}, ${seen.how}`;
    broken[line] = (broken[line] ?? 0) + 1;
  };
  if (parts.client.leaves !== 'reset') for (const seen of atClient) judge('client', seen, parts.server);
  if (parts.server.leaves !== 'reset') for (const seen of atServer) judge('server', seen, parts.client);
  if (atServer.length < count) broken['never at the server'] = count - atServer.length;
  return broken;
}

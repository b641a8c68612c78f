import { createServer, type Server, type Socket } from 'node:net';
import { answerPieces, type Call } from '../call/call.ts';
import { createDigest } from '../call/payload.ts';
import { machineClock } from '../time.ts';
import type { UpstreamOptions } from './upstream.ts';
import { openUpstreamLog, type UpstreamLog } from './upstream-log.ts';

/** What a client writes first on a TCP connection, as one line of JSON; with only `id` it asks who serves. */
export interface TcpRequest {
  readonly id: string;
  readonly call?: Call;
}

/** What an instance writes first, as one line of JSON. `received` as `BYTES:SHA256` of the body. */
export interface TcpAnswer {
  readonly id: string;
  readonly instance: string;
  readonly idc: string;
  readonly received: string;
}

/**
 * Starts an instance that speaks TCP. It reads a line (`TcpRequest`) and the body, works, writes a line
 * (`TcpAnswer`) and the answer, and closes its direction. A call that the client closes first is answered
 * once the client has closed; of a session each line is echoed until the client closes.
 */
export function startTcpUpstream(options: UpstreamOptions): Promise<Server> {
  const log = openUpstreamLog(options.logFile);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    serve(socket, options, log),
  );
  server.on('close', () => log.close());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const { address: host, port } = options.listen ?? { address: '127.0.0.1', port: 0 };
    server.listen({ host, port }, () => resolve(server));
  });
}

function serve(socket: Socket, options: UpstreamOptions, log: UpstreamLog): void {
  const digest = createDigest();
  let head = Buffer.alloc(0);
  let request: TcpRequest | undefined;
  let end: ReturnType<UpstreamLog['begin']> | undefined;
  let [sent, answering, clientEnded] = [0, false, false];
  const { instance, idc } = options;

  const answer = () => {
    if (answering || request === undefined) return;
    answering = true;
    const { id, call } = request;
    const line: TcpAnswer = { id, instance, idc, received: digest.text() };
    machineClock.after(call?.workMs ?? 0, () => {
      socket.write(`${JSON.stringify(line)}\n`);
      const pieces = call ? answerPieces(call, id) : [][Symbol.iterator]();
      const next = () => {
        while (!socket.destroyed) {
          const piece: IteratorResult<Buffer, unknown> = pieces.next();
          if (piece.done) return socket.end();
          sent += piece.value.length;
          if (!socket.write(piece.value)) return socket.once('drain', next);
        }
        return undefined;
      };
      next();
    });
  };
  const session = (call: Call | undefined) => call?.kind === 'tcp-session';
  const take = (bytes: Buffer) => {
    if (bytes.length > 0) digest.add(bytes);
    const call = request?.call;
    if (session(call)) {
      sent += bytes.length;
      socket.write(bytes);
    } else if (call?.closes !== 'client' && digest.bytes >= (call?.bodyBytes ?? 0)) answer();
  };

  socket.on('data', (chunk: Buffer) => {
    if (request) return take(chunk);
    head = Buffer.concat([head, chunk]);
    const at = head.indexOf('\n');
    if (at < 0) return;
    const read: TcpRequest = JSON.parse(head.subarray(0, at).toString());
    request = read;
    end = log.begin({ id: read.id, method: 'TCP', path: '/', leaked: [] });
    if (session(read.call)) socket.write(`${JSON.stringify({ id: read.id, instance, idc, received: '' })}\n`);
    take(head.subarray(at + 1));
  });
  socket.on('end', () => {
    clientEnded = true;
    if (session(request?.call) || request === undefined) socket.end();
    else answer();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    const whole = session(request?.call) ? clientEnded : answering && socket.writableFinished;
    end?.({ answered: whole, received: digest.bytes, sent });
  });
}

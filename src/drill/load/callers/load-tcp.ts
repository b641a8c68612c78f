import type { Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import { bodyOf, type Call, callMessage } from '../../call/call.ts';
import { createDigest } from '../../call/payload.ts';
import type { TcpAnswer, TcpRequest } from '../../upstream/upstream-tcp.ts';
import type { TargetPicker } from '../load-target.ts';
import { type Caller, createGapMeter } from './load-caller.ts';
import { differenceOf } from './load-http.ts';
import { createSocketCaller, type Finish } from './load-socket.ts';

/**
 * Makes TCP connections, one for each call, and holds them to the last byte and the way they end: whole is
 * what came with the right hash, and after which the peer closed its direction in order (FIN, no reset).
 * Status 200 then; 0 otherwise.
 */
export function createTcpCaller(connectTimeoutMs: number, picker: TargetPicker, clock: Clock): Caller {
  return createSocketCaller({ picker, clock, connectTimeoutMs }, (socket, { id, call }, finish) => {
    const request: TcpRequest = { id, call };
    socket.write(`${JSON.stringify(request)}\n`);
    if (call.kind === 'tcp-session') converse(socket, id, call, clock, finish);
    else exchange(socket, id, call, finish);
  });
}

/** The body, the answer, and both ends of the connection in the order that the call asks for. */
function exchange(socket: Socket, id: string, call: Call, finish: Finish): void {
  const digest = createDigest();
  const { head, take } = createHead((rest) => digest.add(rest));
  const end = (error: string) => {
    const { instance = '', idc = '', received = '' } = head() ?? {};
    const wrong = error || differenceOf(call, id, received, digest.text());
    finish({ status: wrong ? 0 : 200, idc, instance, error: wrong });
    socket.destroy();
  };
  const pieces = bodyOf(call, id);
  const next = () => {
    while (!socket.destroyed) {
      const piece = pieces.next();
      if (piece.done) {
        if (call.closes === 'client') socket.end();
        return;
      }
      if (!socket.write(piece.value)) return void socket.once('drain', next);
    }
  };
  next();
  socket.on('data', take);
  socket.on('end', () => end(''));
  let over = false;
  socket.on('error', (error) => {
    over = true;
    end(`${error.message} after ${digest.bytes} of ${call.answerBytes} bytes`);
  });
  socket.on('close', () => !over && end('closed'));
}

/** Lines to and fro; the client closes. */
function converse(socket: Socket, id: string, call: Call, clock: Clock, finish: Finish): void {
  const gap = createGapMeter(() => clock.now());
  let [said, heard, rest] = [0, 0, ''];
  const end = (error: string) => {
    const { instance = '', idc = '' } = head() ?? {};
    finish({ status: error ? 0 : 200, idc, instance, error, gapMs: gap.longestMs });
    socket.destroy();
  };
  const { head, take } = createHead((bytes) => {
    rest += bytes.toString();
    for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
      const line = rest.slice(0, at);
      rest = rest.slice(at + 1);
      gap.mark();
      if (line !== callMessage(id, heard)) return end(`message ${heard} came back as another`);
      heard += 1;
      if (heard === call.pieces) socket.end();
    }
  });
  const say = () => {
    if (socket.destroyed) return;
    socket.write(`${callMessage(id, said++)}\n`);
    if (said < call.pieces) clock.after(call.everyMs, say);
  };
  gap.mark();
  say();
  socket.on('data', take);
  socket.on('end', () => end(heard === call.pieces ? '' : 'the connection was cut'));
  socket.on('error', (error) => end(error.message));
  socket.on('close', () => end('the connection was cut'));
}

/** Reads the line that an instance writes first; what follows goes to `then`. */
function createHead(then: (rest: Buffer) => void): {
  head(): TcpAnswer | undefined;
  take(chunk: Buffer): void;
} {
  let head: TcpAnswer | undefined;
  let text = Buffer.alloc(0);
  return {
    head: () => head,
    take(chunk) {
      if (head) return then(chunk);
      text = Buffer.concat([text, chunk]);
      const at = text.indexOf('\n');
      if (at < 0) return;
      head = JSON.parse(text.subarray(0, at).toString());
      if (text.length > at + 1) then(text.subarray(at + 1));
    },
  };
}

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import { type Call, callMessage } from '../../call/call.ts';
import { acceptOf, createFrameReader, encodeFrame, opcodes } from '../../call/websocket.ts';
import type { TargetPicker } from '../load-target.ts';
import { createAnswerReader } from './load-answer.ts';
import { type Caller, createGapMeter, type LoadJob } from './load-caller.ts';
import { createSocketCaller, type Finish, noAnswer } from './load-socket.ts';

/**
 * Opens websockets (RFC 6455, over HTTP/1.1), each on a connection of its own: a message every `everyMs`,
 * each of which must come back, in order, then a close that must be answered. What ends otherwise has failed,
 * with status 101 when it had been open.
 */
export function createWebsocketCaller(connectTimeoutMs: number, picker: TargetPicker, clock: Clock): Caller {
  return createSocketCaller({ picker, clock, connectTimeoutMs }, (socket, job, finish) =>
    converse(socket, job, clock, finish),
  );
}

function upgradeRequest(host: string, id: string, key: string): string {
  const fields = ['connection: upgrade', 'upgrade: websocket', `sec-websocket-key: ${key}`];
  const own = [`x-drill-id: ${id}`, 'sec-websocket-version: 13'];
  return `GET / HTTP/1.1\r\nhost: ${host}\r\n${[...fields, ...own].join('\r\n')}\r\n\r\n`;
}

function converse(
  socket: Socket,
  { id, host, call }: LoadJob & { readonly call: Call },
  clock: Clock,
  finish: Finish,
): void {
  const key = randomBytes(16).toString('base64');
  socket.write(upgradeRequest(host, id, key));

  const handshake = createAnswerReader();
  const frames = createFrameReader();
  const gap = createGapMeter(() => clock.now());
  let who: { status: number; idc: string; instance: string } = noAnswer;
  let [said, heard] = [0, 0];
  const end = (error: string) => {
    finish({ ...who, status: error === '' ? 200 : who.status, error, gapMs: gap.longestMs });
    socket.destroy();
  };
  const write = (opcode: number, payload: Buffer) =>
    socket.write(encodeFrame(opcode, payload, randomBytes(4)));
  const say = () => {
    if (socket.destroyed) return;
    write(opcodes.text, Buffer.from(callMessage(id, said++)));
    if (said < call.pieces) clock.after(call.everyMs, say);
  };
  const hear = (chunk: Buffer) => {
    for (const { opcode, payload } of frames.take(chunk)) {
      if (opcode === opcodes.close) return end(heard === call.pieces ? '' : 'the websocket was closed');
      if (opcode !== opcodes.text) continue;
      gap.mark();
      if (payload.toString() !== callMessage(id, heard)) return end(`message ${heard} came back as another`);
      heard += 1;
      // 1000: a normal closure (RFC 6455, 7.4.1).
      if (heard === call.pieces) write(opcodes.close, Buffer.from([1000 >> 8, 1000 & 0xff]));
    }
  };
  const greet = (chunk: Buffer) => {
    const answer = handshake.take(chunk);
    if (!answer) return;
    const { status } = answer;
    who = { status, idc: answer.header('x-drill-idc'), instance: answer.header('x-drill-instance') };
    if (status !== 101) return end(`status ${status}: ${answer.body.slice(0, 120)}`);
    if (answer.header('sec-websocket-accept') !== acceptOf(key))
      return end('the handshake is of another key');
    gap.mark();
    say();
    if (answer.surplus.length > 0) hear(answer.surplus);
  };
  socket.on('data', (chunk: Buffer) => {
    try {
      if (who.status === 101) hear(chunk);
      else greet(chunk);
    } catch (error) {
      end((error as Error).message);
    }
  });
  socket.on('error', (error) => end(error.message));
  for (const event of ['end', 'close']) socket.on(event, () => end('the websocket was cut'));
}

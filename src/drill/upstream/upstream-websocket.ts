import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { acceptOf, createFrameReader, encodeFrame, opcodes } from '../call/websocket.ts';
import type { UpstreamLog } from './upstream-log.ts';

/**
 * Serves one websocket: echoes each message until the client closes. Any other upgrade is refused with 400.
 */
export function serveWebsocket(
  request: IncomingMessage,
  socket: Duplex,
  headers: readonly string[],
  end: ReturnType<UpstreamLog['begin']>,
): void {
  let [received, sent, closing] = [0, 0, false];
  socket.on('error', () => {});
  socket.on('close', () => end({ answered: closing, received, sent }));
  const key = request.headers['sec-websocket-key'];
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    return;
  }
  const own = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));
  const upgrade = ['connection: upgrade', 'upgrade: websocket', `sec-websocket-accept: ${acceptOf(key)}`];
  socket.write(`${['HTTP/1.1 101 Switching Protocols', ...upgrade, ...own].join('\r\n')}\r\n\r\n`);
  const reader = createFrameReader();
  socket.on('data', (chunk: Buffer) => {
    for (const { opcode, payload } of reader.take(chunk)) {
      received += payload.length;
      if (opcode === opcodes.ping) socket.write(encodeFrame(opcodes.pong, payload));
      else if (opcode === opcodes.text) {
        sent += payload.length;
        socket.write(encodeFrame(opcodes.text, payload));
      } else if (opcode === opcodes.close) {
        closing = true;
        socket.end(encodeFrame(opcodes.close, payload));
      }
    }
  });
  socket.on('end', () => socket.end());
}

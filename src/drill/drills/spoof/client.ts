import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { machineClock } from '../../time.ts';
import type { Attack } from './attacks.ts';

/** The answer. */
export interface AttackAnswer {
  /** HTTP status; 0 when the connection ended without one. */
  readonly status: number;
  /** Who served it, as the answer says; '' when nobody did. */
  readonly idc: string;
  /** `x-isthmus-outcome`, where a filter refused it. */
  readonly outcome: string;
  /** Names of `x-isthmus-*` headers in the response. */
  readonly leaked: readonly string[];
}

const nothing: AttackAnswer = { status: 0, idc: '', outcome: '', leaked: [] };
const timeoutMs = 5000;

/** Sends one hostile request, on a connection of its own. Never rejects. */
export function send(to: ListenAddress, host: string, id: string, attack: Attack): Promise<AttackAnswer> {
  return attack.http2 ? sendHttp2(to, host, id, attack) : sendRaw(to, host, id, attack);
}

/** HTTP/1.1, byte by byte as written: Node's own client would refuse to send half of it. */
function sendRaw(to: ListenAddress, host: string, id: string, attack: Attack): Promise<AttackAnswer> {
  const head = [`${attack.trailer ? 'POST' : 'GET'} / HTTP/1.1`, `host: ${host}`, `x-drill-id: ${id}`];
  const body = attack.trailer ? ['2', 'hi', '0', ...attack.trailer, '', ''].join('\r\n') : '';
  const text = `${[...head, ...attack.lines, 'connection: close', '', ''].join('\r\n')}${body}`;
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ host: to.address, port: to.port });
    const timer = machineClock.after(timeoutMs, () => socket.destroy());
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    // An answer may come, and the connection be reset, before all was written.
    socket.on('error', () => {});
    socket.on('close', () => {
      timer.cancel();
      resolve(parseAnswer(received));
    });
    socket.write(Buffer.from(text, 'latin1'));
  });
}

/** Reads a response's head. Exported for tests. */
export function parseAnswer(text: string): AttackAnswer {
  const [status = '', ...lines] = (text.split('\r\n\r\n', 1)[0] ?? '').split('\r\n');
  const match = /^HTTP\/1\.1 (\d{3})/.exec(status);
  if (!match) return nothing;
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return answerOf(Number(match[1]), fields);
}

function answerOf(status: number, fields: readonly (readonly [string, string])[]): AttackAnswer {
  const of = (name: string) => fields.find(([key]) => key === name)?.[1] ?? '';
  const leaked = fields.map(([name]) => name).filter((name) => name.startsWith('x-isthmus-'));
  return { status, idc: of('x-drill-idc'), outcome: of('x-isthmus-outcome'), leaked };
}

function sendHttp2(to: ListenAddress, host: string, id: string, attack: Attack): Promise<AttackAnswer> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${to.address}:${to.port}`);
    const timer = machineClock.after(timeoutMs, () => session.destroy());
    let answer = nothing;
    session.on('error', () => {});
    session.on('close', () => {
      timer.cancel();
      resolve(answer);
    });
    const fields: Record<string, string[]> = {};
    for (const line of attack.lines) {
      const [name = '', value = ''] = line.split(': ');
      fields[name] = [...(fields[name] ?? []), value];
    }
    const stream = session.request({ ':path': '/', ':authority': host, 'x-drill-id': id, ...fields });
    stream.on('error', () => session.destroy());
    stream.on('response', (headers) => {
      const pairs = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
      answer = answerOf(Number(headers[':status']), pairs);
    });
    stream.on('end', () => session.close());
    stream.resume();
  });
}

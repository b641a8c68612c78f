import { request } from 'node:http';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { probePrefix } from '../call/request-id.ts';
import { machineClock } from '../time.ts';
import type { WorldGroup } from './topology.ts';

let count = 0;

/**
 * Sends one request for `host`, in the protocol of its Group; resolves with '' when it was served, else with
 * what happened.
 */
export function probeGroup(
  to: ListenAddress,
  { protocol = 'HTTP' }: Pick<WorldGroup, 'protocol'>,
  host: string,
  timeoutMs = 1000,
): Promise<string> {
  if (protocol === 'HTTP') return probeHttp(to, host, timeoutMs);
  return protocol === 'GRPC' ? probeGrpc(to, host, timeoutMs) : probeTcp(to, timeoutMs);
}

/** One GET /. */
function probeHttp(to: ListenAddress, host: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const headers = { host, 'x-drill-id': `${probePrefix}${count++}` };
    const sent = request({ host: to.address, port: to.port, headers, agent: false, timeout: timeoutMs });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? '' : `status ${response.statusCode}`));
      response.on('error', (error) => resolve(error.message));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}

/** Asks for `Say` of an empty message: five bytes of framing. */
function probeGrpc({ address, port }: ListenAddress, host: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}:${port}`);
    const end = (what: string) => {
      timer.cancel();
      session.destroy();
      resolve(what);
    };
    const timer = machineClock.after(timeoutMs, () => end(`no answer in ${timeoutMs} ms`));
    session.on('error', (error) => end(error.message));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/drill.Echo/Say',
      ':authority': host,
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-drill-id': `${probePrefix}${count++}`,
    });
    let code: unknown;
    const note = (headers: IncomingHttpHeaders) => {
      code = headers['grpc-status'] ?? code;
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', (error) => end(error.message));
    stream.on('end', () => end(String(code) === '0' ? '' : `gRPC status ${code}`));
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
}

/** Asks who is there, and waits for the line that says it. */
function probeTcp({ address: host, port }: ListenAddress, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (what: string) => {
      timer.cancel();
      socket.destroy();
      resolve(what);
    };
    const timer = machineClock.after(timeoutMs, () => end(`no answer in ${timeoutMs} ms`));
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes;
      if (text.includes('\n')) end('');
    });
    socket.on('error', (error) => end(error.message));
    socket.on('end', () => end('closed without an answer'));
    socket.write(`${JSON.stringify({ id: `${probePrefix}${count++}` })}\n`);
  });
}

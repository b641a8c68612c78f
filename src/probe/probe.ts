import { get } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { systemClock, type Timer } from '../base/clock.ts';
import type { StatusRange } from '../model/health.ts';
import { showAddress } from '../model/values/listen-address.ts';
import { probeGrpcHealth } from './grpc.ts';

/** How a process is found healthy: as proxies do. */
export type Probe =
  /**
   * A GET over HTTP/1.1 or HTTP/2, answered with one of these statuses; `host` overrides the URL's. Like
   * Envoy, does not follow redirects.
   */
  | { readonly url: string; readonly statuses: readonly StatusRange[]; readonly host?: string }
  /** grpc.health.v1; service '' is the whole server. */
  | { readonly grpc: { readonly host: string; readonly port: number; readonly service: string } }
  /** A connection that opens. */
  | { readonly host: string; readonly port: number };

const probeMsMax = 1_000;

/** Probes once, with a timeout: why it is not healthy, or undefined if it is. */
export async function probe(target: Probe, msMax = probeMsMax): Promise<string | undefined> {
  if ('grpc' in target) return probeGrpcHealth(target.grpc, msMax);
  if (!('url' in target)) return opens(target, msMax);
  try {
    // An HTTP/2-only server's answer is not valid HTTP/1.1.
    const status = await statusOf(target, msMax).catch(async (error) => {
      const answer = await statusOfHttp2(target, msMax).catch(() => undefined);
      if (answer === undefined) throw error;
      return answer;
    });
    const isHealthy = target.statuses.some(({ from, to }) => status >= from && status <= to);
    return isHealthy ? undefined : `${target.url} answers ${status}`;
  } catch (reason) {
    return `${target.url}: ${(reason as Error).message}`;
  }
}

type Get = Extract<Probe, { readonly url: string }>;

function statusOf({ url, host }: Get, msMax: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    const sent = get(url, { agent: false, headers }, (response) => {
      // The rest of the answer is discarded.
      response.on('error', () => {}).resume();
      resolve(response.statusCode ?? 0);
    });
    const timer = systemClock.after(msMax, () => sent.destroy(new Error(`no answer in ${msMax} ms`)));
    sent.on('error', reject).on('close', () => timer.cancel());
  });
}

/** HTTP/2 with prior knowledge (RFC 9113, 3.3), as proxies check an HTTP2 port. */
function statusOfHttp2({ url, host }: Get, msMax: number): Promise<number> {
  const { host: at, pathname, search } = new URL(url);
  const session = connectHttp2(`http://${at}`);
  let timer: Timer | undefined;
  return new Promise<number>((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ':path': pathname + search, ':authority': host ?? at });
    timer = systemClock.after(msMax, () => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(new Error(`no answer in ${msMax} ms`));
    });
    stream.on('response', (headers) => resolve(Number(headers[':status'])));
    stream.on('error', reject);
    stream.resume();
  }).finally(() => {
    timer?.cancel();
    session.destroy();
  });
}

function opens(
  target: { readonly host: string; readonly port: number },
  msMax: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.setTimeout(msMax, () => socket.destroy(new Error(`no connection in ${msMax} ms`)));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) =>
      resolve(`${showAddress({ address: target.host, port: target.port })}: ${error.message}`),
    );
  });
}

import { Agent, request } from 'node:http';
import { sleep } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { probePrefix } from '../../call/request-id.ts';
import { collectLines } from '../../measure/collect.ts';
import type { AccessLine } from '../../measure/measurement.ts';
import { machineClock } from '../../time.ts';
import type { Stage } from '../../world/stage.ts';
import { addressesOf } from '../../world/topology.ts';
import { halfDead, namesText } from './names.ts';

/** What a client got. */
export interface ProbeReply {
  readonly id: string;
  /** HTTP status; 0: none came. */
  readonly status: number;
  /** Who served it, as it says itself; '' when no instance did. */
  readonly idc: string;
  readonly outcome: string;
}

/** Where requests are sent to, and with what headers. */
interface Sending {
  readonly to: ListenAddress;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 16: each of two gateways is all but surely seen. */
  readonly count?: number;
}

/** Real requests, and the way that Envoys' access logs show. */
export interface Requests {
  /** Sends GETs for a host, four at a time. Never rejects. */
  send(host: string, sending: Sending): Promise<readonly ProbeReply[]>;
  /** Sends some of them 20 times a second until something has ended. Never rejects. */
  sendUntil(ended: Promise<unknown>, host: string, sending: Sending): Promise<readonly ProbeReply[]>;
  /**
   * Their way, hop by hop, with all places that any of them went to: `sh-a/egress-1 → sh-b/ingress-1,
   * sh-b/ingress-2 → an instance of sh-b`.
   */
  wayOf(replies: readonly ProbeReply[]): Promise<string>;
  /** The trail of the last hop that has one; '' without. */
  trailOf(replies: readonly ProbeReply[]): Promise<string>;
}

/** The time of a request, and between two bursts, in milliseconds; and how many are sent at once. */
const [timeoutMs, everyMs, together] = [5_000, 50, 4] as const;

let sent = 0;

/** Requests in the world of a drill. Their ids are those of probes: no part of the load. */
export function createRequests({ topology, paths }: Pick<Stage, 'topology' | 'paths'>): Requests {
  const names = new Map(
    Object.entries(addressesOf(topology)).flatMap(([name, list]) => list.map((at) => [at, name] as const)),
  );
  const linesOf = (replies: readonly ProbeReply[]) => {
    const ids = new Set(replies.map(({ id }) => id));
    return collectLines(topology, paths, (id) => ids.has(id));
  };
  return {
    send: sendSome,
    async sendUntil(ended, host, sending) {
      let isOver = false;
      const over = () => {
        isOver = true;
      };
      ended.then(over, over);
      const replies: ProbeReply[] = [];
      while (!isOver) {
        replies.push(...(await sendSome(host, sending)));
        await sleep(machineClock, everyMs);
      }
      return replies;
    },
    async wayOf(replies) {
      const lines = await linesOf(replies);
      return wayText(lines, (at) => names.get(at) ?? at);
    },
    async trailOf(replies) {
      const lines = await linesOf(replies);
      const trails = lines.map(({ trail }) => trail).filter((trail) => trail !== '');
      return trails.sort((a, b) => b.length - a.length)[0] ?? '';
    },
  };
}

async function sendSome(
  host: string,
  { to, headers = {}, count = 16 }: Sending,
): Promise<readonly ProbeReply[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: together });
  const replies = await Promise.all(Array.from({ length: count }, () => sendOne(to, host, headers, agent)));
  agent.destroy();
  return replies;
}

function sendOne(
  { address, port }: ListenAddress,
  host: string,
  more: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<ProbeReply> {
  const id = `${probePrefix}question-${sent++}`;
  const none: ProbeReply = { id, status: 0, idc: '', outcome: '' };
  return new Promise((resolve) => {
    const headers = { host, 'x-drill-id': id, ...more };
    const asked = request({ host: address, port, headers, agent, timeout: timeoutMs });
    asked.on('response', (response) => {
      const text = (name: string) => String(response.headers[name] ?? '');
      const reply = {
        ...{ id, status: response.statusCode ?? 0 },
        ...{ idc: text('x-drill-idc'), outcome: text('x-isthmus-outcome') },
      };
      response.resume();
      response.on('end', () => resolve(reply));
      response.on('error', () => resolve(none));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(none));
    asked.end();
  });
}

/** Listeners in the order of a way; those of an egress are one hop. */
const hops = [['outbound', 'edge'], ['sidecar', 'ingress'], ['peer']] as const;

function wayText(lines: readonly AccessLine[], nameOf: (address: string) => string): string {
  const places = hops.map((listeners) => {
    const own = lines.filter(({ listener }) => (listeners as readonly string[]).includes(listener));
    return namesText(
      own.flatMap(({ upstream = '' }) => (upstream === '' ? [] : [placeText(nameOf(upstream))])),
    );
  });
  return places.filter((place) => place !== 'none').join(' → ') || 'nowhere';
}

/** An instance of another IDC is not named: its own registry knows it. */
export function placeText(name: string): string {
  const [idc = '', proxy = ''] = name.split('/');
  return idc === halfDead || /^(in|e)gress-/.test(proxy) ? name : `an instance of ${idc}`;
}

/** Who served, with the share of the answers that came from elsewhere. */
export function answeredText(replies: readonly ProbeReply[]): string {
  const idcs = namesText(replies.filter(({ status }) => status === 200).map(({ idc }) => idc));
  return idcs === 'none' ? `nobody, status ${namesText(replies.map(({ status }) => String(status)))}` : idcs;
}

/** The share of requests, in percent, that another IDC than the one that is half dead served. */
export function awayPercent(replies: readonly ProbeReply[]): number {
  const served = replies.filter(({ status }) => status === 200);
  return served.length === 0
    ? Number.NaN
    : (100 * served.filter(({ idc }) => idc !== halfDead).length) / served.length;
}

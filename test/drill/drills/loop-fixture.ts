import type { LoopMeasurement } from '../../../src/drill/drills/loop/facts.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import { isolationChecks } from '../../../src/drill/measure/isolation.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import { layPhases } from '../../../src/drill/measure/phases.ts';
import type { UpstreamEntry } from '../../../src/drill/upstream/upstream-log.ts';

const perSecond = 50;
const host = 'legacy.shop';

/** A line of an access log, of a proxy such as `sh-b/ingress-1`. */
export function lineOf(proxy: string, listener: string, more: Partial<AccessLine>): AccessLine {
  const idc = proxy.split('/')[0] ?? '';
  return {
    proxy,
    idc,
    listener,
    at: 0,
    durationMs: 2,
    id: '',
    status: 200,
    flags: '',
    trail: '',
    attempts: 1,
    outcome: '',
    ...more,
  };
}

/**
 * A loop drill in which all went well: 50 requests a second for 12 s from a caller in sh-a; nobody is left
 * from 3 to 6 s, and each request then crosses once and is refused; back from 7 s on.
 */
export function goodLoop(): LoopMeasurement {
  const phases = layPhases({ steady: 3, 'nobody left': 3, recovery: 3, 'steady again': 3 }, 0);
  const samples: Sample[] = [];
  const access: AccessLine[] = [];
  const entries = new Map<string, UpstreamEntry[]>([
    ['sh-a/legacy-1', []],
    ['sh-b/legacy-1', []],
  ]);
  for (let n = 0; n < 12 * perSecond; n += 1) {
    const [due, id] = [n * (1000 / perSecond), `caller-sh-a:${n}`];
    const refused = due >= 3000 && due < 7000;
    const end = { status: 503, idc: '', instance: '', error: 'status 503', outcome: 'no-idc' };
    const served = { status: 200, idc: 'sh-a', instance: 'sh-a/legacy-1', error: '' };
    const rest = { sent: due, end: due + 4, target: '127.1.0.91:15001', connectedAt: 1 };
    samples.push({ id, stream: 'caller-sh-a', due, ...rest, ...(refused ? end : served) });
    const of = (proxy: string, listener: string, trail: string) =>
      lineOf(proxy, listener, { at: due, id, trail, status: refused ? 503 : 200 });
    access.push(of('sh-a/caller', 'outbound', ''));
    if (refused) {
      access.push(of('sh-a/egress-1', 'sidecar', 'sh-a'), of('sh-b/ingress-1', 'peer', 'sh-a,sh-b'));
    } else {
      access.push(of('sh-a/legacy-1', 'inbound', ''));
      entries.get('sh-a/legacy-1')?.push({ at: due + 1, id, method: 'GET', path: '/', leaked: [] });
    }
  }
  const crossed = access.filter(({ listener }) => listener === 'peer').length;
  const count = (proxy: string) => access.filter((line) => line.proxy === proxy).length;
  const proxies = ['sh-a/caller', 'sh-b/ingress-1'];
  return {
    idcs: ['sh-a', 'sh-b'],
    phases,
    steps: [],
    streams: [
      {
        stream: 'caller-sh-a',
        idc: 'sh-a',
        hosts: [host],
        ratePerSecond: perSecond,
        planned: samples.length,
        due: (number) => number * (1000 / perSecond),
      },
    ],
    samples,
    entries,
    access,
    counters: proxies.map((proxy) => {
      const lines = count(proxy);
      return { proxy, listener: 'any', before: lines, lines, after: lines };
    }),
    listeners: proxies.map((proxy) => `${proxy} any`),
    lost: [],
    isolation: Object.fromEntries(
      isolationChecks.map((check) => [check, { claim: check, ok: true, detail: '8 sidecars' }]),
    ),
    usage: [],
    downs: [{ instances: ['sh-a/legacy-1', 'sh-b/legacy-1'], from: 3000, to: 6000 }],
    refusing: { hosts: [host], from: 2990, to: 9000 },
    hopeless: { from: 3000, to: 6000 },
    healthyAt: 6800,
    counted: new Map([['sh-b/ingress-1', new Map([['ingress-peer.peer.sh-a.hops', crossed]])]]),
  };
}

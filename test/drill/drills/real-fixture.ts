import type { Call } from '../../../src/drill/call/call.ts';
import type { RealMeasurement } from '../../../src/drill/drills/real/facts.ts';
import type { FaultKind, InjectedFault } from '../../../src/drill/faults/loss.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import { isolationChecks } from '../../../src/drill/measure/isolation.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import { layPhases } from '../../../src/drill/measure/phases.ts';
import type { UpstreamEntry } from '../../../src/drill/upstream/upstream-log.ts';

const mib = 1024 * 1024;

function shape(name: string, change: Partial<Call>): Call {
  const nothing = { workMs: 0, bodyBytes: 0, answerBytes: 0, pieces: 0, everyMs: 0 };
  return { shape: name, kind: 'http', method: 'GET', ...nothing, ...change };
}

/** One of each, due one after another, 200 ms between two. */
const calls: readonly Call[] = [
  shape('GET', { workMs: 50 }),
  shape('GET, slow', { workMs: 12_000 }),
  shape('POST', { method: 'POST', workMs: 900, bodyBytes: 5 * mib }),
  shape('PUT', { method: 'PUT', workMs: 900, bodyBytes: 5 * mib, answerBytes: 5 * mib }),
  shape('events', { pieces: 5, everyMs: 500, paced: 'answer', events: true }),
];
const grpc = shape('gRPC', { kind: 'grpc', method: 'POST', workMs: 300 });
const tcp = shape('TCP, server ends', { kind: 'tcp', workMs: 300, answerBytes: mib });

export const kinds = [...calls, grpc, tcp].map((call) => call.shape);
const streams: Readonly<Record<string, { host: string; instance: string; calls: readonly Call[] }>> = {
  'http-sidecar': { host: 'checkout.shop', instance: 'checkout-1', calls },
  'grpc-sidecar': { host: 'quote.shop', instance: 'quote-1', calls: [grpc] },
  'tcp-ledger': { host: 'ledger.shop', instance: 'ledger-1', calls: [tcp] },
};
const everyMs = 200;
const endMs = 160_000;
const struck = Object.values(streams).map(({ instance }) => `sh-a/${instance}`);

function fault(kind: FaultKind, at: number): InjectedFault {
  return {
    kind,
    injected: { from: at, to: at + 10 },
    struck,
    healed: { from: at + 10_000, to: at + 10_010 },
    healthyAt: at + 11_000,
  };
}
export const faults = [fault('kill', 100_000), fault('stop', 120_000), fault('drop', 140_000)];

interface Story {
  readonly sample: Sample;
  readonly entries: readonly (readonly [string, UpstreamEntry])[];
  readonly access: readonly AccessLine[];
}

/**
 * What was under way on what is struck fails, unless it is a GET of which nothing has come; what comes next
 * goes to sh-b.
 */
function tell(stream: string, number: number): Story {
  const { instance: name, calls, host } = streams[stream] as (typeof streams)[string];
  const call = calls[number % calls.length] as Call;
  const [id, due] = [`${stream}:${number}`, number * everyMs];
  const length = 5 + call.workMs + Math.max(0, call.pieces - 1) * call.everyMs;
  const away = faults.some(({ injected, healed }) => due >= injected.from && due < healed.to);
  const hit = faults.find(({ injected }) => due < injected.from && due + length > injected.from);
  const saved = hit && call.method === 'GET' && call.kind === 'http' && !call.events;
  const failed = hit !== undefined && !saved;
  const idc = away || saved ? 'sh-b' : 'sh-a';
  const instance = `${idc}/${name}`;
  const end = failed ? hit.injected.to + 5 : due + length + (saved ? hit.injected.to - due : 0);
  const entry = { id, method: call.kind === 'tcp' ? 'TCP' : call.method, path: '/', leaked: [] };
  const begun = (at: number, ended?: number): UpstreamEntry => ({
    ...entry,
    at,
    ...(ended && { ended: { at: ended, answered: true, received: 0, sent: 0 } }),
  });
  // A killed instance ends nothing, a stopped one later, one behind a broken network as if nothing had been.
  const late =
    hit?.kind === 'kill' ? undefined : hit?.kind === 'stop' ? hit.healed.from + length : due + length;
  const line = (proxy: string, listener: string, change: Partial<AccessLine> = {}): AccessLine => ({
    proxy,
    idc: proxy.split('/')[0] ?? '',
    listener,
    at: due,
    durationMs: end - due,
    id,
    status: failed ? 503 : 200,
    flags: failed ? 'UC' : '',
    trail: '',
    attempts: 1,
    outcome: '',
    upstream: idc === 'sh-a' ? addressOf(instance) : '127.1.0.21:10081',
    ...change,
  });
  const crossing = [line('sh-a/egress-1', 'sidecar'), line('sh-b/ingress-1', 'peer', { trail: 'sh-a,sh-b' })];
  return {
    sample: {
      id,
      stream,
      due,
      sent: due,
      end,
      status: failed ? (call.events ? 200 : 503) : 200,
      idc: failed ? '' : idc,
      instance: failed ? '' : instance,
      target: '127.1.0.91:15001',
      connectedAt: 1,
      error: failed ? 'status 503: upstream connect error' : '',
      call,
      ...(call.paced && { gapMs: 510 }),
    },
    entries: [
      ...(hit ? [[`sh-a/${name}`, begun(due + 1, late)] as const] : []),
      ...(failed ? [] : [[instance, begun(saved ? hit.injected.to + 1 : due + 1, end - 2)] as const]),
    ],
    access:
      host === 'ledger.shop'
        ? []
        : [
            line('sh-a/caller', 'outbound'),
            ...(idc === 'sh-b' ? crossing : []),
            // The lines of a killed sidecar are lost with it.
            ...(hit && hit.kind !== 'kill' ? [line(`sh-a/${name}`, 'inbound')] : []),
            ...(failed ? [] : [line(instance, 'inbound')]),
          ],
  };
}

function addressOf(instance: string): string {
  return `${instance}:8080`;
}

/** A drill in which all went well. */
export function goodReal(): RealMeasurement {
  const stories = Object.keys(streams).flatMap((stream) =>
    Array.from({ length: endMs / everyMs }, (_, number) => tell(stream, number)),
  );
  const entries = new Map<string, UpstreamEntry[]>();
  for (const [name, entry] of stories.flatMap((story) => story.entries))
    entries.set(name, [...(entries.get(name) ?? []), entry]);
  const access = stories.flatMap((story) => story.access);
  const count = (proxy: string) => access.filter((line) => line.proxy === proxy).length;
  const proxies = ['sh-a/caller', 'sh-a/egress-1', 'sh-b/ingress-1'];
  return {
    idcs: ['sh-a', 'sh-b'],
    phases: layPhases({ steady: 100, kill: 20, stop: 20, drop: 20 }, 0),
    steps: [],
    streams: Object.entries(streams).map(([stream, { host }]) => ({
      stream,
      idc: 'sh-a',
      hosts: [host],
      ratePerSecond: 1000 / everyMs,
      planned: endMs / everyMs,
      due: (number) => number * everyMs,
    })),
    samples: stories.map(({ sample }) => sample),
    entries,
    access,
    counters: proxies.map((proxy) => ({
      proxy,
      listener: 'any',
      before: count(proxy),
      lines: count(proxy),
      after: count(proxy),
    })),
    listeners: proxies.map((proxy) => `${proxy} any`),
    lost: struck.map((proxy) => ({ proxy, killed: { from: 100_000, to: 100_010 } })),
    isolation: Object.fromEntries(
      isolationChecks.map((check) => [check, { claim: check, ok: true, detail: '8 sidecars' }]),
    ),
    usage: [],
    healthyTo: 100_000,
    ejections: [],
    askedProxies: 18,
    faults,
    addresses: Object.fromEntries([...entries.keys()].map((name) => [name, [addressOf(name)]])),
  };
}

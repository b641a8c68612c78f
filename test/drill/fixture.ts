import type { Sample } from '../../src/drill/load/sample.ts';
import { isolationChecks } from '../../src/drill/measure/isolation.ts';
import type { AccessLine } from '../../src/drill/measure/measurement.ts';
import { layPhases } from '../../src/drill/measure/phases.ts';
import type { ScenarioMeasurement as Measurement } from '../../src/drill/scenario/measurement.ts';
import type { UpstreamEntry } from '../../src/drill/upstream/upstream-log.ts';

/** What a drill's parts would have recorded of one request. */
interface Story {
  readonly sample: Sample;
  readonly entries: readonly (readonly [instance: string, UpstreamEntry])[];
  readonly access: readonly AccessLine[];
}

const perSecond = 100;
export const steadyMs = 4;

/**
 * A drill in which all went well: 100 requests a second for 20 s, sh-a out from 5 to 10 s, back 1 s after
 * healing.
 */
export function goodMeasurement(): Measurement {
  const injected = { claim: 'kill -9', moment: { from: 5000, to: 5010 }, struck: ['sh-a/checkout-1'] };
  const phases = layPhases({ steady: 5, outage: 5, recovery: 5, 'steady again': 5 }, 0);
  const stories = Array.from({ length: 20 * perSecond }, (_, number) => tellStory(number));
  const entries = new Map<string, UpstreamEntry[]>([
    ['sh-a/checkout-1', []],
    ['sh-b/checkout-1', []],
  ]);
  for (const story of stories) for (const [name, entry] of story.entries) entries.get(name)?.push(entry);
  const access = stories.flatMap((story) => story.access);
  const count = (proxy: string) => access.filter((line) => line.proxy === proxy).length;
  return {
    crossing: true,
    lostIdc: 'sh-a',
    hedging: [],
    idcs: ['sh-a', 'sh-b'],
    phases,
    steps: [injected, { claim: 'healing begins', moment: { from: 10_000, to: 10_001 }, struck: [] }],
    faults: [injected],
    healed: { from: 10_000, to: 10_001 },
    healthyAt: 10_800,
    streams: [
      {
        stream: 'caller-sh-a',
        idc: 'sh-a',
        hosts: ['checkout.shop'],
        ratePerSecond: perSecond,
        planned: stories.length,
        due: (number) => number * (1000 / perSecond),
      },
    ],
    samples: stories.map((story) => story.sample),
    entries,
    access,
    counters: ['sh-a/caller', 'sh-a/egress-1', 'sh-b/ingress-1'].map((proxy) => ({
      proxy,
      listener: 'any',
      before: count(proxy),
      lines: count(proxy),
      after: count(proxy),
    })),
    listeners: ['sh-a/caller any', 'sh-a/egress-1 any', 'sh-b/ingress-1 any'],
    lost: [],
    isolation: Object.fromEntries(
      isolationChecks.map((check) => [check, { claim: check, ok: true, detail: '8 sidecars' }]),
    ),
    losses: [
      {
        kind: 'kill',
        injected: injected.moment,
        struck: injected.struck,
        healed: { from: 10_000, to: 10_001 },
        healthyAt: 10_800,
      },
    ],
    addresses: {
      'sh-a/checkout-1': ['127.1.0.31:8080'],
      'sh-b/checkout-1': ['127.2.0.31:8080'],
      'sh-a/egress-1': ['127.1.0.21:10081'],
      'sh-b/ingress-1': ['127.2.0.11:10443'],
    },
    ejections: [],
    lookupsFailed: 0,
    writesFailed: 0,
    sicknesses: [],
    ejectedInOverload: 0,
    leaves: [],
    cuts: [],
    edits: 100,
    acks: [{ idc: 'sh-a', proxies: 3, count: 300, p50Ms: 3, p90Ms: 5, p99Ms: 20, maxMs: 30 }],
    usage: [{ phase: 'steady', drill: 0.5, others: 0.1 }],
  };
}

function tellStory(number: number): Story {
  const due = number * (1000 / perSecond);
  const away = due >= 5000 && due < 11_000;
  const id = `caller-sh-a:${number}`;
  const idc = away ? 'sh-b' : 'sh-a';
  const instance = `${idc}/checkout-1`;
  // The first requests of the outage are slow: their first try hangs.
  const latency = due >= 5000 && due < 5100 ? 520 : steadyMs + (number % 7) / 10;
  const line = (proxy: string, listener: string, trail: string): AccessLine => ({
    proxy,
    idc: proxy.split('/')[0] ?? '',
    listener,
    at: due,
    durationMs: latency,
    id,
    status: 200,
    flags: '',
    trail,
    attempts: 1,
    outcome: '',
  });
  return {
    sample: {
      id,
      stream: 'caller-sh-a',
      due,
      sent: due + 0.5,
      end: due + latency,
      status: 200,
      idc,
      instance,
      target: '127.1.0.91:15001',
      connectedAt: 1,
      error: '',
    },
    entries: [
      [
        instance,
        {
          at: due + 1,
          id,
          method: 'GET',
          path: '/',
          leaked: [],
          ended: { at: due + 2, answered: true, received: 0, sent: 100 },
        },
      ],
    ],
    access: [
      line('sh-a/caller', 'outbound', ''),
      line(instance, 'inbound', ''),
      ...(away
        ? [line('sh-a/egress-1', 'sidecar', 'sh-a'), line('sh-b/ingress-1', 'peer', 'sh-a,sh-b')]
        : []),
    ],
  };
}

/** The measurement with some samples replaced: `change` returns what is different, or nothing. */
export function withSamples(
  m: Measurement,
  change: (sample: Sample) => Partial<Sample> | undefined,
): Measurement {
  return { ...m, samples: m.samples.map((sample) => ({ ...sample, ...change(sample) })) };
}

/** The measurement with some access lines replaced, or left out where `change` returns null. */
export function withAccess(
  m: Measurement,
  change: (line: AccessLine) => Partial<AccessLine> | null | undefined,
): Measurement {
  return {
    ...m,
    access: m.access.flatMap((line) => {
      const different = change(line);
      return different === null ? [] : [{ ...line, ...different }];
    }),
  };
}

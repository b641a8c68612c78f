import type { Random } from '../../../base/random.ts';
import type { Scenario, Step } from '../../scenario/document/document.ts';

type World = Scenario['spec']['world'];
type Group = World['groups'][number];
type Load = Scenario['spec']['load'][number];
type Mix = NonNullable<Load['mix']>;

/** Optional features of random worlds; drawn separately, so that a world is otherwise unchanged. */
export interface More {
  /** Requests that an instance bears, as the DR group declares it; absent: nothing is declared. */
  readonly capacity?: number;
  /** The IDC whose instances' packets may be dropped. */
  readonly drop?: string;
  /** Whether IDCs are evacuated. */
  readonly evacuates: boolean;
  /** Groups that speak gRPC and TCP. */
  readonly groups: readonly Group[];
  /** Streams of load that speak HTTP/2. */
  readonly http2: readonly boolean[];
}

/** How many worlds in a hundred have each. */
const chance = { capacity: 0.4, drop: 0.4, evacuates: 0.5, grpc: 0.3, tcp: 0.4, http2: 0.4 } as const;

/**
 * Draws it for a world of these IDCs with so many loads. Without `drops` all else is the same, and no packet
 * is dropped.
 */
export function randomMore(random: Random, idcs: readonly string[], loads: number, drops: boolean): More {
  const upTo = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const has = (what: keyof typeof chance) => random() < chance[what];
  const [bears, dropped] = [upTo(2, 3), idcs[upTo(0, idcs.length - 1)]];
  const capacity = has('capacity');
  const drop = has('drop');
  const evacuates = has('evacuates');
  const group = (name: string, protocol: 'GRPC' | 'TCP'): Group => {
    const counts = idcs.map(() => upTo(0, 2));
    const instances = Object.fromEntries(
      idcs.map((idc, i) => [idc, i === 0 ? Math.max(1, counts[i] ?? 0) : (counts[i] ?? 0)]),
    );
    return { name, protocol, instances };
  };
  const [quote, ledger] = [group('quote', 'GRPC'), group('ledger', 'TCP')];
  const groups = [...(has('grpc') ? [quote] : []), ...(has('tcp') ? [ledger] : [])];
  return {
    ...(capacity && { capacity: bears }),
    ...(drop && drops && dropped !== undefined && { drop: dropped }),
    evacuates,
    groups,
    http2: Array.from({ length: loads }, () => has('http2')),
  };
}

/** A mix of HTTP requests over HTTP/2. */
export function overHttp2(mix: Mix): Mix {
  return mix.map((call) => ({ ...call, name: `${call.name}, HTTP/2`, kind: 'http2' }));
}

/** Requests that stay for long, so that what an IDC bears is used up. */
export const held: Mix[number] = { name: 'GET, held', weight: 1.5, workMs: [500, 3000] };

/** What is asked of the Groups that speak gRPC and TCP, from every IDC. */
export function loadsOf({ groups }: More, idcs: readonly string[]): Load[] {
  return groups.flatMap(({ name, protocol }) =>
    idcs.map(
      (caller): Load => ({
        caller,
        to: [name],
        rate: 'more',
        share: 1 / idcs.length,
        stream: `${name}-${caller}`,
        mix: protocol === 'TCP' ? tcpMix : grpcMix,
      }),
    ),
  );
}

const grpcMix: Mix = [
  {
    name: 'gRPC',
    kind: 'grpc',
    weight: 1,
    workMs: [0, 500],
    bodyBytes: [0, 10_000],
    answerBytes: [0, 10_000],
  },
];

const tcp: Omit<Mix[number], 'name'> = {
  kind: 'tcp',
  weight: 1,
  workMs: [0, 500],
  bodyBytes: [0, 10_000],
  answerBytes: [6, 10_000],
};

const tcpMix: Mix = [
  { name: 'TCP, server ends', ...tcp },
  { name: 'TCP, client ends', ...tcp, closes: 'client' },
];

/** The world as text. */
export function worldWords(
  { idcs, groups, gateways, hopLimit }: World,
  { capacity, drop, http2 }: More,
  steps: readonly Step[],
): string {
  const counts = groups.map(({ name, protocol, instances }) => {
    const each = idcs.map((idc) => (typeof instances === 'number' ? instances : (instances[idc] ?? 0)));
    return `${protocol ? `${protocol} ` : ''}${name} ${each.join('/')}`;
  });
  return [
    `${idcs.length} IDCs`,
    `${gateways} gateway${gateways === 1 ? '' : 's'} of each kind`,
    `hop limit ${hopLimit}`,
    ...counts,
    ...(capacity === undefined ? [] : [`${capacity} requests an instance`]),
    ...(steps.some((step) => step.drop) ? [`packets dropped in ${drop}`] : []),
    ...(steps.some((step) => step.evacuate) ? ['evacuations'] : []),
    ...(http2.includes(true) ? ['HTTP/2'] : []),
  ].join(', ');
}

import type { CallShape } from '../../call/call.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../../load/loads.ts';
import {
  hostOf,
  type IdcPlan,
  idcOf,
  type Topology,
  tcpEntranceOf,
  type WorldGroup,
} from '../../world/topology.ts';

/** The IDC whose instances are lost, and the one that stands in for it. */
export const [lostIdc, otherIdc] = ['sh-a', 'sh-b'] as const;

const [kib, mib] = [1024, 1024 * 1024];

/**
 * Groups of each protocol: one that both IDCs have, and one that is always in the other, so that a part of
 * each load crosses.
 */
export const groups: readonly WorldGroup[] = [
  { name: 'checkout', instances: 2 },
  { name: 'archive', instances: { [otherIdc]: 1 } },
  { name: 'quote', instances: 1, protocol: 'GRPC' },
  { name: 'rates', instances: { [otherIdc]: 1 }, protocol: 'GRPC' },
  { name: 'ledger', instances: 1, protocol: 'TCP' },
  { name: 'vault', instances: { [otherIdc]: 1 }, protocol: 'TCP' },
];

/** How long the instance works, in milliseconds, on what is neither quick nor very slow. */
const someWork = [1, 5000] as const;
/** How long a stream lasts, and the time between two pieces, in milliseconds. */
const stream = { lastsMs: [2000, 30_000], everyMs: 500 } as const;

/** HTTP/1.1 as applications use it. */
export const httpMix: readonly CallShape[] = [
  { name: 'GET', kind: 'http', weight: 4, workMs: [1, 100], answerBytes: [0, 64 * kib] },
  { name: 'GET, slow', kind: 'http', weight: 3, workMs: [100, 20_000], answerBytes: [0, 64 * kib] },
  { name: 'GET, long', kind: 'http', weight: 2, answerBytes: [64 * kib, 8 * mib] },
  { name: 'POST', kind: 'http', weight: 2, method: 'POST', workMs: someWork, bodyBytes: [0, 8 * mib] },
  { name: 'PUT', kind: 'http', weight: 2, method: 'PUT', workMs: someWork, bodyBytes: [0, 8 * mib] },
  { name: 'DELETE', kind: 'http', weight: 2, method: 'DELETE', workMs: someWork },
  {
    name: 'PUT, long',
    kind: 'http',
    weight: 0.5,
    method: 'PUT',
    bodyBytes: [4 * mib, 8 * mib],
    answerBytes: [mib, 8 * mib],
  },
  {
    name: 'upload, slow',
    kind: 'http',
    weight: 0.7,
    method: 'POST',
    paced: 'body',
    chunked: true,
    bodyBytes: [kib, mib],
    ...stream,
  },
  { name: 'download, slow', kind: 'http', weight: 0.7, paced: 'answer', answerBytes: [kib, mib], ...stream },
  { name: 'events', kind: 'http', weight: 0.7, paced: 'answer', events: true, ...stream },
  { name: 'websocket', kind: 'websocket', weight: 0.7, ...stream },
];

export const grpcMix: readonly CallShape[] = [
  {
    name: 'gRPC',
    kind: 'grpc',
    weight: 5,
    workMs: [1, 5000],
    bodyBytes: [0, 8 * mib],
    answerBytes: [0, 8 * mib],
  },
  { name: 'gRPC stream', kind: 'grpc-stream', weight: 1, ...stream },
  { name: 'gRPC chat', kind: 'grpc-chat', weight: 1, ...stream },
];

const tcp = { kind: 'tcp', workMs: [0, 1000], bodyBytes: [0, 8 * mib], answerBytes: [6, 8 * mib] } as const;

export const tcpMix: readonly CallShape[] = [
  { name: 'TCP, server ends', weight: 2, ...tcp },
  { name: 'TCP, client ends', weight: 2, closes: 'client', ...tcp },
  // As small as an answer gets: what a tail is lost of first.
  { name: 'TCP, small', weight: 2, ...tcp, bodyBytes: [0, 100], answerBytes: [6, 100] },
  { name: 'TCP session', kind: 'tcp-session', weight: 1, ...stream },
];

/** A websocket on which nothing is said for so long, in milliseconds. */
export function quietMix(forMs: number): readonly CallShape[] {
  return [
    { name: 'websocket, quiet', kind: 'websocket', weight: 1, lastsMs: [forMs, forMs], everyMs: forMs },
  ];
}

/** The quiet websockets begin within this time, in milliseconds, and end before anything is broken. */
const quietBeginMs = 10_000;

/**
 * Beyond what a request asks for itself: what is replayed is worked on twice, and takes time to be given up.
 */
const timeoutMs = 35_000;

/** A request in this many is for a Group that only the other IDC has. */
const oneFar = 4;

/**
 * The loads: each protocol from callers in the IDC that will be lost, through their sidecar, and from clients
 * of its edge (TCP from callers alone). Rates by protocol; `quietMs` 0: no quiet websockets.
 */
export function planLoads(topology: Topology, rates: Rates, quietMs: number): LoadShape[] {
  const here = idcOf(topology, lostIdc);
  const { http = 0, grpc = 0, tcp = 0 } = rates;
  const edges = [here, idcOf(topology, otherIdc)];
  const host = (name: string) => hostOf(topology, groupNamed(name));
  const hosts = (near: string, far: string) => [...Array(oneFar - 1).fill(host(near)), host(far)];
  const both = (
    name: string,
    rate: number,
    to: readonly string[],
    mix: readonly CallShape[],
  ): LoadShape[] => [
    { ...callerLoad(here, to, 0.6 * rate), stream: `${name}-sidecar`, mix, timeoutMs },
    { ...edgeLoad(edges, to, 0.4 * rate), stream: `${name}-edge`, mix, timeoutMs },
  ];
  const quiet = both('quiet', 0.5, hosts('checkout', 'archive'), quietMix(quietMs)).map((load) => ({
    ...load,
    durationMs: quietBeginMs,
  }));
  return [
    ...both('http', http, hosts('checkout', 'archive'), httpMix),
    ...both('grpc', grpc, hosts('quote', 'rates'), grpcMix),
    tcpLoad(topology, here, 'ledger', 0.6 * tcp),
    tcpLoad(topology, here, 'vault', 0.4 * tcp),
    ...(quietMs > 0 ? quiet : []),
  ];
}

function tcpLoad(topology: Topology, idc: IdcPlan, name: string, ratePerSecond: number): LoadShape {
  const group = groupNamed(name);
  return {
    ...callerLoad(idc, [hostOf(topology, group)], ratePerSecond),
    stream: `tcp-${name}`,
    tiers: [[tcpEntranceOf(topology, idc, group)]],
    mix: tcpMix,
    timeoutMs,
  };
}

function groupNamed(name: string): WorldGroup {
  const found = groups.find((group) => group.name === name);
  if (!found) throw new RangeError(`there is no Group ${name}`);
  return found;
}

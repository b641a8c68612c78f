import { fileURLToPath } from 'node:url';
import { buildGo } from '../support/go.ts';

/** State of the World or Delta ADS. */
export type Mode = 'sotw' | 'delta';

/** A server that is measured. */
export interface Contender {
  readonly name: string;
  readonly modes: readonly Mode[];
  /** Numbers of streams at which it is measured. */
  readonly streams: readonly number[];
  /** Types that the clients subscribe to. */
  readonly types: string;
  /** The node that a client says it is, as xdsload's template; absent: any. */
  readonly node?: string;
  /** Made-up names that the clients repeat in each ACK, as subscribers in State of the World do. */
  readonly ackNames?: number;
  command(options: { port: number; http: number; groups: number; endpoints: number }): Promise<string[]>;
}

const sidecar = {
  id: 'node-{{.I}}',
  cluster: 'bench',
  metadata: {
    isthmus: {
      role: 'sidecar',
      idc: 'sh-a',
      namespace: 'mesh',
      outbound: { address: '127.0.0.1', port: 15001 },
    },
  },
};

function node(file: string, kind: string): Contender['command'] {
  return async (options) => {
    const flags = Object.entries({ ...options, kind }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    return [process.execPath, fileURLToPath(new URL(`../servers/${file}`, import.meta.url)), ...flags];
  };
}

function goControlPlane(cache: string): Contender['command'] {
  return async ({ port, http, groups, endpoints }) => {
    const flags = { port, http, clusters: groups, eps: endpoints, cache };
    return [
      await buildGo('gcp'),
      ...Object.entries(flags).flatMap(([name, value]) => [`-${name}`, `${value}`]),
    ];
  };
}

/** The floor: 1 KB sent as it is, and its ACK. */
export const plainFloor = 'floor: grpc-js, 1 KB as it is';
/** The floor for State of the World, whose ACKs repeat the names of all that is subscribed to. */
export const namesFloor = 'floor: grpc-js, 1,000 names in ACKs';

/** All that are measured, in the order of the table. Ours come with the peers' resources, and whole. */
export const contenders: readonly Contender[] = [
  {
    name: plainFloor,
    modes: ['sotw'],
    streams: [100, 1000, 3000, 10_000],
    types: 'cds',
    command: node('floor-main.ts', 'grpcjs'),
  },
  {
    name: namesFloor,
    modes: ['sotw'],
    streams: [1000, 10_000],
    types: 'cds',
    ackNames: 1000,
    command: node('floor-main.ts', 'grpcjs'),
  },
  {
    name: 'floor: node:http2, one buffer',
    modes: ['sotw'],
    streams: [1000],
    types: 'cds',
    command: node('floor-main.ts', 'http2'),
  },
  {
    name: 'floor: Go gRPC, 1 KB as it is',
    modes: ['sotw'],
    streams: [1000],
    types: 'cds',
    command: async ({ port, http }) => [await buildGo('gofloor'), '-port', `${port}`, '-http', `${http}`],
  },
  {
    name: 'isthmus/xds, the library',
    modes: ['sotw', 'delta'],
    streams: [100, 1000, 3000, 10_000],
    types: 'cds,eds,lds,rds',
    command: node('xds-main.ts', ''),
  },
  {
    name: 'isthmus, the control plane',
    modes: ['sotw', 'delta'],
    streams: [1000, 10_000],
    types: 'cds,eds,lds,rds',
    node: JSON.stringify(sidecar),
    command: node('plane-main.ts', ''),
  },
  {
    name: 'go-control-plane, linear',
    modes: ['sotw', 'delta'],
    streams: [100, 1000],
    types: 'cds,eds,lds,rds',
    command: goControlPlane('linear'),
  },
  {
    name: 'go-control-plane, snapshot',
    modes: ['delta'],
    streams: [100, 1000],
    types: 'cds,eds,lds,rds',
    command: goControlPlane('snapshot'),
  },
];

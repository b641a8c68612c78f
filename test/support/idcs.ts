import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Clock } from '../../src/base/clock.ts';
import type { NodeScope } from '../../src/model/node.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import type { Source } from '../../src/registry/source.ts';
import { type EnvoyOptions, freeAddress, type Mesh, startMesh } from './mesh.ts';

/** A Group of the world and its instances, which the test starts itself. */
export interface PlacedGroup {
  readonly name: string;
  readonly instances: readonly { readonly idc: string; readonly zone?: string; readonly at: ListenAddress }[];
  /** Whether instances are WorkloadEntries, `NAME-1` and so on, and not endpoints of the ServiceEntry. */
  readonly entries?: true;
  /** A path for active health checks; absent: none. */
  readonly health?: string;
  /** The port of the service, where it is TCP; absent: port 80. */
  readonly tcpPort?: number;
  /** Where the instances have names; absent: STATIC. */
  readonly resolution?: 'DNS' | 'DNS_ROUND_ROBIN';
  /** What instances speak on port 80; absent: HTTP. */
  readonly protocol?: 'HTTP' | 'HTTP2' | 'GRPC';
  /** `spec.traffic` of its DrGroup, besides `health`. */
  readonly traffic?: object;
  /** More of `spec` of its DrGroup. */
  readonly drGroup?: object;
}

/** What a world of any number of IDCs is made of. */
export interface WorldOptions {
  readonly idcs: readonly string[];
  readonly groups: readonly PlacedGroup[];
  /** Of the mesh and of the DR group. */
  readonly hopLimit: number;
  /** The DNS servers of all proxies. */
  readonly dns?: readonly ListenAddress[];
  /** The DR group's IDCs as each IDC's registry lists them; by default all, in order. */
  readonly preference?: Readonly<Record<string, readonly object[]>>;
  /** Clients at the edge see the outcome. */
  readonly exposeOutcome?: boolean;
  /** The edges answer whether clients are to come. */
  readonly exposeReady?: boolean;
  /** The zone of each IDC's ingress gateway; absent: none. */
  readonly ingressZones?: Readonly<Record<string, string>>;
  /** The clock of each IDC's control plane; the system's by default. */
  readonly clocks?: (idc: string) => Clock;
  /** Sources of each IDC's control plane besides its files. */
  readonly sources?: (idc: string) => readonly Source[];
  /** Gateways of each kind in each IDC; absent: 1. */
  readonly gateways?: number;
  /** Every Idc also names an ingress and an egress gateway that is not there. */
  readonly deadGateways?: boolean;
  /** The control planes of an IDC's proxies, most preferred first; absent: its own. */
  readonly xds?: (plane: ListenAddress) => Promise<readonly ListenAddress[]>;
  /** State of the World or Delta; absent: Delta. */
  readonly mode?: 'sotw' | 'delta';
  /** Changes the bootstraps of ingress gateways, as JSON without spaces. */
  readonly patchIngress?: EnvoyOptions['patch'];
}

/** One request as a gateway logged it. */
export interface AccessLine {
  readonly proxy: string;
  readonly listener: string;
  readonly path: string;
  readonly authority: string;
  readonly status: number;
  readonly trail: string | null;
}

/** IDCs with their gateways, and a caller in the first. */
export interface Idcs {
  readonly meshes: ReadonlyMap<string, Mesh>;
  /** The objects of each IDC's registry, as YAML. */
  readonly registry: ReadonlyMap<string, string>;
  /** Where the caller's requests go. */
  readonly outbound: ListenAddress;
  /** Where clients enter each IDC, and where its egress takes requests of sidecars: its first gateways. */
  readonly gateways: ReadonlyMap<string, Gateways>;
  /**
   * Process ids of the proxies: `caller`, and `IDC-ingress`, `IDC-egress`; those after the first with their
   * number, `IDC-egress-2`.
   */
  readonly pids: ReadonlyMap<string, number>;
  /** Their admin interfaces. */
  readonly admins: ReadonlyMap<string, ListenAddress>;
  /** What the proxies have logged so far: health checks left out. */
  accessLines(): AccessLine[];
  close(): Promise<void>;
}

interface Gateways {
  readonly edge: ListenAddress;
  readonly peer: ListenAddress;
  readonly sidecar: ListenAddress;
  readonly ingress: ListenAddress;
}

/** Starts control planes, gateways and the caller; resolves when all Envoys are ready. */
export async function startIdcs(options: WorldOptions): Promise<Idcs> {
  const { idcs, groups, hopLimit } = options;
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-idcs-'));
  const all = new Map<string, Gateways[]>();
  for (const idc of idcs) {
    const own: Gateways[] = [];
    for (let i = 0; i < (options.gateways ?? 1); i += 1) {
      const [edge, peer, sidecar, ingress] = [
        await freeAddress(),
        await freeAddress(),
        await freeAddress(),
        await freeAddress(),
      ];
      own.push({ edge, peer, sidecar, ingress });
    }
    all.set(idc, own);
  }
  const gateways = new Map([...all].map(([idc, own]) => [idc, own[0] as Gateways]));
  const outbound = await freeAddress();
  const meshes = new Map<string, Mesh>();
  const registry = new Map<string, string>();
  for (const idc of idcs) {
    const order = options.preference?.[idc] ?? idcs.map((name) => ({ name }));
    const documents = [
      ...[...all].map(([name, at]) => idcObject(name, at, options)),
      ...groups.flatMap((group) => [
        drGroupObject(group, order, hopLimit),
        serviceEntry(group),
        ...workloadEntries(group),
      ]),
    ];
    const text = documents.map((document) => stringify(document)).join('---\n');
    registry.set(idc, text);
    meshes.set(
      idc,
      await startMesh(
        idc,
        { 'all.yaml': text },
        {
          ...{ hopLimit, sources: options.sources?.(idc) ?? [] },
          ...(options.clocks && { clock: options.clocks(idc) }),
        },
      ),
    );
  }
  const logs: string[] = [];
  const gatewaysOfAKind = idcs.length * (options.gateways ?? 1);
  const more = {
    ...(options.dns === undefined ? {} : { dns: options.dns }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    // A small machine takes its time for a large world.
    readyTimeoutMs: 60_000 * Math.max(2, gatewaysOfAKind),
  };
  const accessLog = (proxy: string) => {
    logs.push(proxy);
    return join(dir, `${proxy}.log`);
  };
  const pids = new Map<string, number>();
  const admins = new Map<string, ListenAddress>();
  const start = async (mesh: Mesh, id: string, scope: NodeScope, given: EnvoyOptions) => {
    const xds = await options.xds?.(mesh.plane.xds);
    const { pid, admin } = await mesh.envoy(id, scope, { ...given, ...(xds && { xds }) });
    pids.set(id, pid);
    admins.set(id, admin);
  };
  await Promise.all([
    ...idcs.flatMap((idc) => {
      const mesh = meshes.get(idc) as Mesh;
      const zone = options.ingressZones?.[idc];
      const zoned = zone === undefined ? {} : { zone };
      return (all.get(idc) ?? []).flatMap(({ edge, peer, sidecar, ingress }, i) => {
        const [into, out] = [`${idc}-ingress`, `${idc}-egress`].map((id) =>
          i === 0 ? id : `${id}-${i + 1}`,
        ) as [string, string];
        return [
          start(
            mesh,
            into,
            { role: 'ingress', idc, ...zoned, accessLog: accessLog(into), edge, peer },
            { ...more, ...(options.patchIngress && { patch: options.patchIngress }) },
          ),
          start(mesh, out, { role: 'egress', idc, accessLog: accessLog(out), sidecar, ingress }, more),
        ];
      });
    }),
    start(
      meshes.get(idcs[0] as string) as Mesh,
      'caller',
      {
        role: 'sidecar',
        idc: idcs[0] as string,
        namespace: 'test',
        accessLog: accessLog('caller'),
        outbound,
      },
      more,
    ),
  ]);
  return {
    meshes,
    pids,
    admins,
    registry,
    outbound,
    gateways,
    accessLines: () =>
      logs.flatMap((proxy) =>
        readFileSync(join(dir, `${proxy}.log`), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => ({ ...JSON.parse(line), proxy }))
          .filter(({ path }) => path !== '/.isthmus/health'),
      ),
    async close() {
      await Promise.all([...meshes.values()].map((mesh) => mesh.close()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function idcObject(name: string, at: readonly Gateways[], options: WorldOptions): object {
  const { deadGateways = false, exposeOutcome = false, exposeReady = false } = options;
  const none = deadGateways ? [{ address: '127.0.0.9' }] : [];
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name },
    spec: {
      ...{ exposeOutcome, exposeReady },
      ingress: [
        ...at.map(({ edge, peer }) => ({ address: edge.address, edgePort: edge.port, peerPort: peer.port })),
        ...none.map((gateway) => ({ ...gateway, edgePort: 1, peerPort: 2 })),
      ],
      egress: [
        ...at.map(({ sidecar, ingress }) => ({
          address: sidecar.address,
          sidecarPort: sidecar.port,
          ingressPort: ingress.port,
        })),
        ...none.map((gateway) => ({ ...gateway, sidecarPort: 3, ingressPort: 4 })),
      ],
    },
  };
}

function drGroupObject(group: PlacedGroup, idcs: readonly object[], hopLimit: number): object {
  const health = group.health === undefined ? {} : { health: { path: group.health, interval: '1s' } };
  const traffic = { ...group.traffic, ...health };
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name: group.name },
    spec: { hosts: [`${group.name}.test`], idcs, hopLimit, traffic, ...group.drGroup },
  };
}

function serviceEntry(group: PlacedGroup): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: group.name, namespace: 'test' },
    spec: {
      hosts: [`${group.name}.test`],
      location: 'MESH_INTERNAL',
      resolution: group.resolution ?? 'STATIC',
      ports: [
        group.tcpPort === undefined
          ? { number: 80, name: 'main', protocol: group.protocol ?? 'HTTP' }
          : { number: group.tcpPort, name: 'main', protocol: 'TCP' },
      ],
      ...(group.entries === true
        ? { workloadSelector: { labels: { app: group.name } } }
        : { endpoints: group.instances.map(workload) }),
    },
  };
}

function workload({ idc, zone, at }: PlacedGroup['instances'][number]): object {
  const locality = zone === undefined ? idc : `${idc}/${zone}`;
  return { address: at.address, ports: { main: at.port }, locality };
}

function workloadEntries({ entries, name, instances }: PlacedGroup): readonly object[] {
  if (entries !== true) return [];
  return instances.map((instance, i) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: `${name}-${i + 1}`, namespace: 'test' },
    spec: { ...workload(instance), labels: { app: name } },
  }));
}

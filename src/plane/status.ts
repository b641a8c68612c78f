import type { Clock } from '../base/clock.ts';
import { packageVersion } from '../base/package/version.ts';
import { compareText } from '../base/text/compare-text.ts';
import type { ControlPlaneStatus, NodeStatus, ProxyStatus, ReadinessStatus } from '../contract/status.ts';
import type { Ledger } from '../delivery/ledger.ts';
import { describeDependencies, type KnownGroups } from '../delivery/problems/dependencies.ts';
import {
  type ConnectedNode,
  describeDuplicateNodes,
  describeSharedGateways,
} from '../delivery/problems/duplicate-nodes.ts';
import { describeLimits, type KnownLimits } from '../delivery/problems/limits.ts';
import { describeMisplaced } from '../delivery/problems/misplaced.ts';
import { describeMissing, placeGateways } from '../delivery/problems/missing-gateways.ts';
import { describeShortfalls, type KnownShortfall } from '../delivery/problems/shortfalls.ts';
import { describeRefusedStreams } from '../delivery/refused-streams.ts';
import type { Roster } from '../delivery/roster.ts';
import { type Drain, shownDrain } from '../model/drain.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { Finding } from '../model/finding.ts';
import type { Idc } from '../model/idc.ts';
import type { Kind } from '../model/object.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { Source } from '../registry/source.ts';
import type { Readiness } from '../rollout/readiness.ts';
import type { NackStatus, StreamStatus, TypeStatus, XdsServer } from '../xds/xds.ts';
import { clientVersion } from './client-version.ts';
import { describeNacks } from './describe-nacks.ts';
import { scopeOf } from './streams.ts';

/** Shown in /status and /problems while a control plane runs this way. */
export const unprotected: Finding = {
  code: 'LoopPreventionOff',
  severity: 'error',
  where: '--loop-prevention',
  path: '',
  message:
    'loop prevention is off: requests may run in circles between IDCs until they overflow. This is for drills; start without --loop-prevention off',
};

/** The state of one resource type at a proxy. Ages in milliseconds. */
type TypeReport = ProxyStatus['types'][string];

/** The inputs of a status. */
interface StatusOptions {
  readonly idc: string;
  readonly clock: Clock;
  readonly sources: readonly Source[];
  readonly loopPrevention: LoopPrevention;
  readonly xds: Pick<XdsServer, 'status' | 'differences' | 'levels'>;
  readonly roster: Roster;
  readonly ledger: Ledger;
  readonly readiness: Readiness;
  problems(): readonly Finding[];
  /** The newest revision of what is pushed. */
  revision(): number;
  /** See `ReadinessStatus.reasons`. */
  reasons(): readonly string[];
  /** Why some proxies are not answered while others are. */
  waitingReasons(): readonly string[];
  view(): {
    readonly groups: KnownGroups;
    readonly idcs: ReadonlyMap<string, Idc>;
    readonly drains: ReadonlyMap<string, Drain>;
  };
  evacuations(): readonly EvacuationStatus[];
  /** Whether a WorkloadEntry is declared under the name of a drain. */
  isDeclared(key: Drain['meta']): boolean;
  /** Local percentages of Groups in failback, by NAMESPACE/HOST:PORT. */
  localShares(): ReadonlyMap<string, number>;
  /** Limits on requests from other IDCs. */
  readonly limits: KnownLimits;
  /** Groups whose instances have less capacity than what was evacuated. */
  shortfalls(): readonly KnownShortfall[];
  /** Kinds of which an object may be missing because of a reported error. */
  incompleteKinds(): ReadonlySet<Kind>;
}

/** Answers to status requests. */
export interface StatusReader {
  status(): ControlPlaneStatus;
  /** Problems of `status` between connected proxies: who shares a node id, or an address of a gateway. */
  twins(): readonly Finding[];
  /** The part of `status` that is cheap. */
  readiness(): ReadinessStatus;
  /** A node in full, each of its streams; empty: not connected. */
  node(id: string): readonly NodeStatus[];
}

/** Builds a status on request. */
export function createStatusReader(options: StatusOptions): StatusReader {
  const { clock, sources, xds, roster, ledger, readiness } = options;

  function proxyOf(stream: StreamStatus): ProxyStatus {
    const scope = scopeOf(stream.node);
    const now = clock.now();
    const last = roster.lastAck(stream.id);
    const client = clientVersion(stream.node);
    return {
      ...{ id: stream.node.id ?? '', role: scope.role, idc: scope.idc },
      ...{ protocol: stream.protocol, peer: stream.peer.address, connectedForMs: now - stream.openedAtMs },
      ...(client && { client }),
      ...(last && { lastEvent: { tookMs: last.tookMs, agoMs: now - last.at } }),
      types: Object.fromEntries(stream.types.map((type) => [type.type, typeOf(type, now)])),
    };
  }

  function readinessStatus(): ReadinessStatus {
    const away = readiness.turnedAway();
    return {
      ready: readiness.ready && away.length === 0,
      waitingFor: readiness.waitingFor(),
      reasons: [...options.reasons(), ...away],
      sources: sources.map(({ name, facets: { lastGood } }) => ({
        ...(lastGood === 'none' ? { name } : { name, ...lastGood.status() }),
      })),
      peers: sources.flatMap(({ facets: { peers } }) => (peers === 'none' ? [] : peers.statuses())),
    };
  }

  /** Proxies of one node id, and gateways at one address. */
  function twinsOf(streams: readonly StreamStatus[], gateways: ReturnType<typeof placeGateways>): Finding[] {
    const nodes = streams.map((stream) => connectedOf(stream, clock.now()));
    return [...describeDuplicateNodes(nodes), ...describeSharedGateways(options.idc, gateways, nodes)];
  }

  return {
    readiness: readinessStatus,
    twins() {
      const streams = xds.status();
      const nodes = streams.map(({ node }) => ({ node: node.id ?? '', scope: scopeOf(node) }));
      return twinsOf(streams, placeGateways(nodes, options.view().idcs.get(options.idc)));
    },
    status() {
      const streams = xds.status();
      const scopes = streams.map(({ node, types }) => ({
        node: node.id ?? '',
        scope: scopeOf(node),
        absent: types.find(({ type }) => type === 'LDS')?.absent ?? [],
      }));
      // A ServiceEntry with a reported error may be the one that they need.
      const isTold = options.incompleteKinds().has('ServiceEntry');
      const lacking = readiness.ready && !isTold ? describeDependencies(scopes, options.view().groups) : [];
      const refused = roster.refusedStreams();
      const refusals = describeNacks(streams.map(({ node, types }) => ({ node: node.id ?? '', types })));
      const state = readinessStatus();
      const own = options.view().idcs.get(options.idc);
      const gateways = placeGateways(scopes, own);
      const proxies = streams.map(proxyOf);
      // Gateways may be connected to other control planes of the IDC: who asks all of them compares.
      const isAlone = state.peers.every((peer) => peer.state === 'self');
      const isAnswering = readiness.ready && proxies.length > 0;
      return {
        version: packageVersion,
        revision: options.revision(),
        ...state,
        reasons: [...state.reasons, ...options.waitingReasons()],
        idc: options.idc,
        proxies,
        gateways: gateways.map(({ role, addresses, nodes }) => ({
          ...{ role, addresses: [...addresses], nodes: [...nodes] },
        })),
        gone: roster.disconnectedNodes(),
        port: xds.levels()[0],
        refusedStreams: refused,
        eventToAck: ledger.summary(),
        evacuations: options.evacuations(),
        drained: sortedDrains(options.view().drains).map((one) =>
          shownDrain(one, options.isDeclared(one.meta)),
        ),
        comingHome: [...options.localShares()].sort().map(([group, percent]) => ({ group, percent })),
        slowPushes: ledger.slowPushes(),
        loopPrevention: options.loopPrevention,
        others: otherIdcs(options.view().idcs.values(), options.idc),
        problems: [
          ...options.problems(),
          ...refusals,
          ...lacking,
          ...describeLimits(scopes, options.limits),
          ...describeShortfalls(options.shortfalls()),
          ...describeMisplaced(scopes, own),
          ...(isAlone && isAnswering ? describeMissing(options.idc, gateways, proxies) : []),
          ...twinsOf(streams, gateways),
          ...describeRefusedStreams(refused),
        ],
      };
    },
    node: (id) =>
      xds
        .status()
        .filter((stream) => stream.node.id === id)
        .map((stream) => ({ ...proxyOf(stream), differences: xds.differences(stream.id) })),
  };
}

/** Drains by namespace and name. */
export function sortedDrains(drains: ReadonlyMap<string, Drain>): readonly Drain[] {
  return [...drains].sort(([a], [b]) => compareText(a, b)).map(([, drain]) => drain);
}

/** The IDCs beside `own`, with their control planes. */
export function otherIdcs(idcs: Iterable<Idc>, own: string): ControlPlaneStatus['others'] {
  return [...idcs]
    .filter(({ meta }) => meta.name !== own)
    .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: [...(spec.controlPlanes ?? [])] }));
}

function connectedOf({ node, peer, openedAtMs, types }: StreamStatus, now: number): ConnectedNode {
  const answered = types.flatMap(({ sinceMs }) => (sinceMs === undefined ? [] : [now - sinceMs]));
  return {
    ...{ id: node.id ?? '', peer: peer.address, connectedForMs: now - openedAtMs },
    answeredAgoMs: answered.length === 0 ? undefined : Math.min(...answered),
  };
}

function nackOf(
  { version, message, names, lacking, againAtMs }: NackStatus,
  now: number,
): NonNullable<TypeReport['nack']> {
  const again = againAtMs === undefined ? {} : { againInMs: Math.max(0, againAtMs - now) };
  return { version, message, names, lacking, ...again };
}

function typeOf(type: TypeStatus, now: number): TypeReport {
  const { state, version, sinceMs, sent, nack, names } = type;
  return {
    state,
    ...(version !== undefined && { version }),
    ...(sinceMs !== undefined && { answeredAgoMs: now - sinceMs }),
    ...(sent && { sent: { version: sent.version, agoMs: now - sent.atMs } }),
    ...(nack && { nack: nackOf(nack, now) }),
    ...(names !== undefined && { names }),
  };
}

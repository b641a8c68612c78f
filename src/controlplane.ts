import type { Clock, Timer } from './base/clock.ts';
import { MeshError } from './base/error.ts';
import type { Logger } from './base/log.ts';
import { AckClock, type AckSummary } from './delivery/ackclock.ts';
import { createMetrics, type Metrics } from './delivery/metrics.ts';
import { Readiness } from './delivery/readiness.ts';
import { applySalvaging } from './delivery/salvage.ts';
import { createIndex } from './index/store.ts';
import { type ListenAddress, type NodeRole, parseNodeScope } from './model/node.ts';
import type { Change } from './model/object.ts';
import { planGroup } from './plan/group.ts';
import { planPolicies } from './plan/policy.ts';
import type { GroupPlan } from './plan/types.ts';
import { createPolicyCompiler } from './policy/compile.ts';
import type { Problem, Source } from './registry/source.ts';
import type { OpenedSource } from './registry/sources.ts';
import type { Ack, Nack, Node, StreamInfo } from './serve/events.ts';
import { clusterType, endpointType, extensionConfigType, listenerType, routeType } from './serve/types.ts';
import { createXdsServer, type ResourceChange, type TypeStatus } from './serve/xds.ts';
import { Catalog, type ScopeChange } from './translate/catalog.ts';
import type { Built, Filters, ResourceKind } from './translate/resources.ts';

/** What a control plane is made of. */
export interface ControlPlaneOptions {
  /** The IDC that it stands in and decides for. */
  readonly idc: string;
  readonly sources: readonly OpenedSource[];
  /** Where ADS is served. Port 0: any. */
  readonly xds: ListenAddress;
  /** Most crossings that any request may make, 0 to 4; a DR group may allow less. */
  readonly hopLimit: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One connected proxy, as `/status` shows it. */
export interface ProxyStatus {
  readonly id: string;
  readonly role: NodeRole;
  readonly idc: string;
  readonly connectedForMs: number;
  readonly types: Readonly<Record<string, TypeStatus>>;
}

/** What a control plane says of itself. */
export interface ControlPlaneStatus {
  readonly idc: string;
  readonly ready: boolean;
  readonly waitingFor: readonly string[];
  readonly proxies: readonly ProxyStatus[];
  readonly eventToAck: AckSummary;
}

/** A running control plane. */
export interface ControlPlane {
  readonly metrics: Metrics;
  /** Where ADS is served; with the port that was bound. */
  readonly xds: ListenAddress;
  status(): ControlPlaneStatus;
  problems(): readonly Problem[];
  /** Lets go the deletions that the sources' shrink guards hold; how many. */
  confirmDeletes(): number;
  close(): Promise<void>;
}

/** Time after which filters that could not be compiled are tried again. */
const filterRetryMs = 10_000;

/** Types of resources by Envoy's abbreviation, as `translate` names them and `serve` knows them. */
const typeUrls: Readonly<Record<ResourceKind, string>> = {
  CDS: clusterType,
  EDS: endpointType,
  LDS: listenerType,
  RDS: routeType,
  ECDS: extensionConfigType,
};

/**
 * Starts a control plane: resolves once it serves ADS and the sources have been read; it answers proxies when
 * it is ready, which its filters may still hold up. Throws MeshError `unavailable` when an address is taken
 * or a source cannot be read.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { idc, clock, logger, sources } = options;
  const metrics = createMetrics(idc);
  const ackClock = new AckClock((type, stage, ms) => metrics.eventToAck.observe({ type, stage }, ms / 1000));
  const index = createIndex({ idc });
  const catalog = new Catalog();
  const compiler = createPolicyCompiler({ logger, clock });
  const stop = new AbortController();
  const problemsBySource = new Map<string, readonly Problem[]>();
  const refused = new Map<string, Problem>();
  let filters: Filters = {};
  let policyKey = '';
  let filterRetry: Timer | undefined;

  const xds = createXdsServer({
    clock,
    log: logger,
    ready: false,
    classOf: (node) => classOf(node, idc),
    onUnknownClass: ({ nodeClass, node }) => open(nodeClass, node),
    onUnusedClass(nodeClass) {
      catalog.close(nodeClass);
      xds.dropClass(nodeClass);
    },
    onStreamOpen: (stream) => count(stream, 1),
    onStreamClose: (stream) => count(stream, -1),
    onAck: acked,
    onNack: nacked,
  });

  // Without its own Idc it knows no gateway of its own: what it would push is less than proxies have.
  const ownIdc = `an Idc named ${idc}`;
  const conditions = [...sources.map((source) => `source ${source.name}`), ownIdc, 'filters'];
  const readiness = new Readiness(conditions, () => {
    metrics.ready.set(1);
    logger.info('ready', { groups: index.view().groups.size, idcs: [...index.view().idcs.keys()] });
    xds.release();
  });

  function count(stream: StreamInfo, by: 1 | -1): void {
    const { role } = parseNodeScope(stream.node.metadata);
    metrics.proxies.inc({ role }, by);
    logger.info(by === 1 ? 'proxy connected' : 'proxy gone', {
      node: stream.node.id,
      role,
      peer: stream.peer.address,
    });
  }

  function acked(ack: Ack): void {
    metrics.acks.inc({ type: ack.type });
    ackClock.acked({
      node: ack.stream.node.id ?? '',
      kind: ack.type,
      eventsAt: ack.eventsAt,
      sentAt: ack.sentAtMs,
      ackedAt: ack.ackedAtMs,
    });
  }

  function nacked(nack: Nack): void {
    metrics.nacks.inc({ type: nack.type });
  }

  function open(nodeClass: string, node: Node): void {
    const built = catalog.open(nodeClass, parseNodeScope(node.metadata));
    put(nodeClass, { upserts: built, removals: [] }, clock.now());
  }

  function publish(changes: ReadonlyMap<string, ScopeChange>, at: number): void {
    for (const [nodeClass, change] of changes) put(nodeClass, change, at);
  }

  function put(nodeClass: string, { upserts, removals }: ScopeChange, at: number): void {
    const changes: ResourceChange[] = [
      ...upserts.map(({ message }) => ({ upsert: message })),
      ...removals.map(({ kind, name }) => ({ remove: { typeUrl: typeUrls[kind], name } })),
    ];
    for (const { kind, name } of [...upserts, ...removals]) refused.delete(`${kind} ${name}`);
    applySalvaging(
      changes,
      (some) => xds.apply(nodeClass, some, at),
      (change, error) => {
        const { kind, name } = [...upserts, ...removals][changes.indexOf(change)] as Built;
        const message = `could not be pushed, the last good one stays: ${error.message}`;
        refused.set(`${kind} ${name}`, { severity: 'error', where: `${kind} ${name}`, path: '', message });
        metrics.refused.inc();
        logger.error('resource not pushed; the last good one stays', { error: error.message, nodeClass });
      },
    );
  }

  function apply(source: Source, batch: readonly Change[]): void {
    const delta = index.apply(batch);
    const view = index.view();
    const at = batch.reduce((earliest, change) => Math.min(earliest, change.at), clock.now());
    for (const change of batch) metrics.changes.inc({ type: change.type });
    if (delta.idcs.size > 0) {
      publish(catalog.surround(view.idcs, { own: view.idcs.get(idc), filters }), at);
    }
    // Where an IDC's gateways are is part of every Group that may cross to it.
    const dirty = delta.idcs.size > 0 ? view.groups.keys() : delta.groups;
    const plans = new Map<string, readonly GroupPlan[]>();
    for (const host of new Set([...dirty, ...delta.groups])) {
      const group = view.groups.get(host);
      plans.set(host, group === undefined ? [] : planGroup(group, view.idcs, idc, options.hopLimit));
    }
    if (plans.size > 0) publish(catalog.update(plans), at);
    metrics.groups.set(view.groups.size);
    if (batch.some((change) => change.type === 'synced')) readiness.met(`source ${source.name}`);
    if (view.idcs.has(idc)) readiness.met(ownIdc);
    const waiting = readiness.waitingFor();
    if (waiting.every((condition) => condition === 'filters')) void compileFilters(at);
    else logger.info('not ready', { waitingFor: waiting });
  }

  /** Compiles the filters that the IDCs ask for; what does not compile is never pushed, the last good one stays. */
  async function compileFilters(at: number): Promise<void> {
    filterRetry?.cancel();
    const policies = planPolicies(idc, index.view().idcs, options.hopLimit);
    const key = JSON.stringify(policies);
    if (key === policyKey || stop.signal.aborted) return;
    policyKey = key;
    try {
      const compiled = await Promise.all(policies.map((policy) => compiler.compile(policy)));
      if (key !== policyKey || stop.signal.aborted) return;
      filters = Object.fromEntries(compiled.map((filter) => [filter.policy.listener, filter]));
      const { idcs } = index.view();
      publish(catalog.surround(idcs, { own: idcs.get(idc), filters }), at);
      readiness.met('filters');
    } catch (reason) {
      // A newer policy is being compiled: it will tell.
      if (stop.signal.aborted || key !== policyKey) return;
      policyKey = '';
      filterRetry = clock.after(filterRetryMs, () => void compileFilters(clock.now()));
      metrics.filterFailures.inc();
      const error = MeshError.from(reason);
      logger.error('filter not pushed; the last good one stays', { error: error.message, ref: error.ref });
    }
  }

  const port = await xds.listen(`${bracketed(options.xds.address)}:${options.xds.port}`);
  try {
    await Promise.all(
      sources.map((source) =>
        source.start(
          {
            changes: (batch) => apply(source, batch),
            problems(list) {
              problemsBySource.set(source.name, list);
              const of = (severity: string) => problems().filter((one) => one.severity === severity).length;
              for (const severity of ['error', 'warning']) metrics.problems.set({ severity }, of(severity));
            },
          },
          stop.signal,
        ),
      ),
    );
  } catch (reason) {
    await close();
    throw reason;
  }

  function problems(): readonly Problem[] {
    return [...[...problemsBySource.values()].flat(), ...index.problems(), ...refused.values()];
  }

  async function close(): Promise<void> {
    filterRetry?.cancel();
    stop.abort(new MeshError('unavailable', 'the control plane is closing'));
    await Promise.all([xds.close(), compiler.close()]);
  }

  return {
    metrics,
    xds: { address: options.xds.address, port },
    status: () => ({
      idc,
      ready: readiness.ready,
      waitingFor: readiness.waitingFor(),
      proxies: xds.status().map((stream) => {
        const scope = parseNodeScope(stream.node.metadata);
        return {
          id: stream.node.id ?? '',
          role: scope.role,
          idc: scope.idc,
          connectedForMs: clock.now() - stream.openedAtMs,
          types: Object.fromEntries(stream.types.map((type) => [type.type, type])),
        };
      }),
      eventToAck: ackClock.summary(),
    }),
    problems,
    confirmDeletes: () => sources.reduce((sum, source) => sum + (source.confirmDeletes?.() ?? 0), 0),
    close,
  };
}

/** A proxy's class: all that say the same of themselves get the same. Throws MeshError `invalid`. */
function classOf(node: Node, idc: string): string {
  const scope = parseNodeScope(node.metadata);
  if (scope.idc !== idc) {
    const message = `node '${node.id}' stands in IDC '${scope.idc}', this control plane in '${idc}'; give it the --xds of its own IDC`;
    throw new MeshError('invalid', message);
  }
  return JSON.stringify(scope);
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

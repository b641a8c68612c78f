import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { type Change, type Ref, refKey } from '../../model/object.ts';
import { createDeletionGuard, type Deletion, type GuardLimits, type Release } from './guard.ts';

/** A proxy's stream, as `xds` reports it. */
interface ProxyStream {
  readonly id: number;
  readonly node: { readonly id?: string | undefined };
}

/** What streams are asked to have confirmed; the same shape as in `xds`. */
export interface EndpointConcern {
  readonly revision: number;
  readonly types: readonly string[];
  readonly resources?: Pushed['resources'];
  readonly lenient?: boolean;
  readonly subscribed?: boolean;
}

/** What a batch changed: names by type URL, and the revision that includes it. */
export interface Pushed {
  readonly revision: number;
  readonly resources: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What deletions need from other parts. */
interface DeletionsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'deletionsPending' | 'deletionsReleased' | 'deletionRelease'>;
  readonly limits?: Partial<GuardLimits>;
  /** Type URLs of clusters and of endpoints. */
  readonly clusterType: string;
  readonly endpointType: string;
  /**
   * A proxy has endpoints and is connected here, told again when it reconnects; or it has gone for good, or
   * to another control plane: whether a restarted process should `expect` it.
   */
  readonly onProxy?: (node: string, isKnown: boolean) => void;
  /** The newest revision. */
  revision(): number;
  /** The streams that have not confirmed a concern. */
  unconfirmed(concern: EndpointConcern): readonly ProxyStream[];
}

/** Connects sources, whose objects are deleted, with streams, which confirm deletions. */
export interface Deletions {
  opened(stream: ProxyStream): void;
  closed(stream: ProxyStream): void;
  confirmed(stream: ProxyStream, has: (concern: EndpointConcern) => boolean): void;
  /** Holds a batch's deletions until no proxy can have the removed resources; then `release` is called. */
  hold(batch: readonly Change[], pushed: Pushed, release: (ref: Ref) => Promise<void>): void;
  /** Proxies are answered from now on: limits start here. */
  answering(): void;
  /** Proxies served by an earlier process, by node id. */
  expect(nodes: readonly string[]): void;
  /** Proxies connected to another control plane, which waits for them. */
  handOver(nodes: readonly string[]): void;
  /** The pending deletion of an object. */
  of(ref: Ref): Deletion | undefined;
  /**
   * Released when every connected proxy has confirmed the current clusters and endpoints, except for refused
   * ones and removals held back; `absent`: also those that are briefly disconnected.
   */
  barrier(absent: boolean): Deletion;
  /** Number of disconnected proxies that are waited for. */
  sizes(): Readonly<Record<string, number>>;
  close(): void;
}

type State = Pick<EndpointConcern, 'revision' | 'resources' | 'lenient'>;

/** Creates the deletions, empty at first. */
export function createDeletions(options: DeletionsOptions): Deletions {
  const { clock, logger, metrics, limits = {}, endpointType } = options;
  const types = [options.clusterType, endpointType];
  const releases = new Map<string, () => Promise<void>>();
  const guard = createDeletionGuard<State>({
    clock,
    logger,
    limits,
    answering: false,
    onRelease: released,
    ...(options.onProxy && { onProxy: options.onProxy }),
  });
  function released({ keys, cause, heldMs }: Release): void {
    metrics.deletionsPending.set(guard.pending);
    metrics.deletionsReleased.inc({ cause }, keys.length);
    metrics.deletionRelease.series(cause).record(heldMs);
    for (const key of keys) {
      const release = releases.get(key);
      releases.delete(key);
      release?.().catch((reason) => {
        const error = MeshError.from(reason).message;
        logger.error('a source failed to release a deleted object', { key, error });
      });
    }
  }

  const unconfirmed = (state: State) => options.unconfirmed({ ...state, types }).map(guarded);

  return {
    opened: (stream) => guard.opened(guarded(stream)),
    closed: (stream) => guard.closed(guarded(stream)),
    confirmed(stream, has) {
      if (guard.isSettled(stream)) return;
      guard.confirmed(guarded(stream), {
        has: (state) => has({ ...state, types }),
        holdsEndpoints: () => has({ revision: 0, lenient: true, types: [endpointType], subscribed: true }),
        isInSync: () => has({ revision: options.revision(), lenient: true, types, subscribed: true }),
      });
    },
    hold(batch, state, release) {
      const refs = batch.flatMap((change) => (change.type === 'delete' ? [change.ref] : []));
      const instances = refs.filter((ref) => ref.kind === 'WorkloadEntry');
      if (instances.length === 0) return;
      for (const ref of instances) releases.set(refKey(ref), () => release(ref));
      guard.hold(instances.map(refKey), state, unconfirmed(state));
      metrics.deletionsPending.set(guard.pending);
    },
    answering: () => guard.answering(),
    expect: (nodes) => guard.expect(nodes),
    handOver: (nodes) => guard.handOver(nodes),
    of: (ref) => guard.find(refKey(ref)),
    barrier(absent) {
      const state = { revision: options.revision(), lenient: true };
      return guard.wait(state, unconfirmed(state), absent);
    },
    sizes: () => ({ awaitedNodes: guard.disconnected }),
    close: () => guard.close(),
  };
}

function guarded({ id, node }: ProxyStream): { id: number; node: string } {
  return { id, node: node.id ?? '' };
}

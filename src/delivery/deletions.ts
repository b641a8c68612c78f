import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { type Change, type Ref, refKey } from '../model/object.ts';
import { createDeletionGuard, type Deletion, type GuardLimits, type Release } from './guard.ts';
import type { Metrics } from './metrics.ts';

/** A proxy's stream, as `serve` tells of it. */
export interface ProxyStream {
  readonly id: number;
  readonly node: { readonly id?: string | undefined };
}

/** What a stream is asked to have confirmed; the form of `serve`'s own. */
export interface EndpointConcern {
  readonly revision: number;
  readonly types: readonly string[];
  readonly names?: ReadonlySet<string>;
  readonly subscribed?: boolean;
}

/** What deletions need of the rest. */
export interface DeletionsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'deletionsPending' | 'deletionsReleased' | 'deletionRelease'>;
  readonly limits?: Partial<GuardLimits>;
  /** Type URLs of clusters and of endpoints. */
  readonly clusterType: string;
  readonly endpointType: string;
  /** A proxy has endpoints, or has gone for good: whether a later life of this process should `expect` it. */
  readonly onProxy?: (node: string, isKnown: boolean) => void;
  /** The streams that have not confirmed something. */
  unconfirmed(concern: EndpointConcern): readonly ProxyStream[];
}

/** The deletion guard between the sources, whose objects go, and the streams, which confirm it. */
export interface Deletions {
  opened(stream: ProxyStream): void;
  closed(stream: ProxyStream): void;
  confirmed(stream: ProxyStream, has: (concern: EndpointConcern) => boolean): void;
  /** Resources by these names were put or removed, which made this revision. */
  pushed(revision: number, names: Iterable<string>): void;
  /** Applies a batch by `apply`, which puts all that follows from it, and holds its deletions until `release`. */
  during(batch: readonly Change[], release: (ref: Ref) => Promise<void>, apply: () => void): void;
  /** Proxies are answered from now on: only from here on limits run. */
  answering(): void;
  /** Proxies that an earlier life of this process served, by node id. */
  expect(nodes: readonly string[]): void;
  /** The deletion of an object that some proxy may still have. */
  of(ref: Ref): Deletion | undefined;
  /**
   * Ends when every connected proxy has confirmed the clusters and endpoints as they are now; `absent`: those that
   * are away for a moment, too.
   */
  barrier(absent: boolean): Deletion;
  close(): void;
}

interface State {
  readonly revision: number;
  readonly names?: ReadonlySet<string>;
}

const noNames: ReadonlySet<string> = new Set();

/** Creates the deletions, none at first. */
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
  let revision = 0;
  let touched = new Set<string>();

  function released({ keys, cause, heldMs }: Release): void {
    metrics.deletionsPending.set(guard.pending);
    metrics.deletionsReleased.inc({ cause }, keys.length);
    metrics.deletionRelease.series(cause).record(heldMs);
    for (const key of keys) {
      const release = releases.get(key);
      releases.delete(key);
      release?.().catch((reason) => {
        const error = MeshError.from(reason).message;
        logger.error('a source could not let an object go', { key, error });
      });
    }
  }

  const owing = (state: State) => options.unconfirmed({ ...state, types }).map(guarded);

  return {
    opened: (stream) => guard.opened(guarded(stream)),
    closed: (stream) => guard.closed(guarded(stream)),
    confirmed: (stream, has) =>
      guard.confirmed(guarded(stream), {
        has: (state) => has({ ...state, types }),
        holdsEndpoints: () => has({ revision: 0, names: noNames, types: [endpointType], subscribed: true }),
        isInSync: () => has({ revision, names: noNames, types, subscribed: true }),
      }),
    pushed(newest, names) {
      revision = newest;
      for (const name of names) touched.add(name);
    },
    during(batch, release, apply) {
      touched = new Set();
      apply();
      const state = { revision, names: touched };
      const refs = batch.flatMap((change) => (change.type === 'delete' ? [change.ref] : []));
      const instances = refs.filter((ref) => ref.kind === 'WorkloadEntry');
      if (instances.length === 0) return;
      for (const ref of instances) releases.set(refKey(ref), () => release(ref));
      guard.hold(instances.map(refKey), state, owing(state));
      metrics.deletionsPending.set(guard.pending);
    },
    answering: () => guard.answering(),
    expect: (nodes) => guard.expect(nodes),
    of: (ref) => guard.find(refKey(ref)),
    barrier: (absent) =>
      guard.wait({ revision, names: noNames }, owing({ revision, names: noNames }), absent),
    close: () => guard.close(),
  };
}

function guarded({ id, node }: ProxyStream): { id: number; node: string } {
  return { id, node: node.id ?? '' };
}

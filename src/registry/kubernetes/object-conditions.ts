import type { Clock } from '../../base/clock.ts';
import type { WatchTarget } from '../../kube/watch/list-watch.ts';
import type { Finding } from '../../model/finding.ts';
import { type Ref, refKey } from '../../model/object.ts';
import type { ObjectStatus, StatusSink } from '../source.ts';
import {
  acceptedCondition,
  type Condition,
  type ConditionFinding,
  isRefused,
  isSameCondition,
  type ReadStatus,
} from './accepted-condition.ts';
import type { KindFollower } from './kind-follower.ts';
import { isProgrammed } from './programmed-condition.ts';

/** What was told of an object, and of which of its generations. */
interface Told {
  readonly findings: readonly ConditionFinding[];
  readonly generation: number | undefined;
}

/** A condition that an object should have, and does not. */
export interface DueCondition {
  readonly key: string;
  readonly ref: Ref;
  readonly uid: string;
  readonly target: WatchTarget;
  /** All of ours: what is left out is taken away. */
  readonly conditions: readonly Condition[];
}

interface ConditionsOptions {
  readonly clock: Clock;
  readonly followers: () => readonly KindFollower[];
  /** The other condition that it should have; undefined: none. */
  programmed(read: ReadStatus, isAccepted: boolean): Condition | undefined;
  /** Something may be due. */
  onChange(): void;
}

/**
 * What the conditions of our objects should say: of what was read here (`setOwn`), and of what others have
 * found beside other objects (`setStatuses`). Nothing is due before both are known, so that a restart does
 * not take back what was found before it.
 */
export class ObjectConditions implements StatusSink {
  readonly #options: ConditionsOptions;
  #own: ReadonlyMap<string, readonly ConditionFinding[]> | undefined;
  /** Objects that wait for others, which may be there and cannot be read. */
  #undecided: ReadonlySet<string> = new Set();
  #told: ReadonlyMap<string, Told> | undefined;

  constructor(options: ConditionsOptions) {
    this.#options = options;
  }

  /** All findings of what was read, in place of those before. */
  setOwn(findings: readonly Finding[], undecided: ReadonlySet<string>): void {
    const own = new Map<string, ConditionFinding[]>();
    for (const finding of findings) {
      if (finding.ref === undefined) continue;
      const key = refKey(finding.ref);
      own.set(key, [...(own.get(key) ?? []), finding]);
    }
    this.#own = own;
    this.#undecided = undecided;
    this.#options.onChange();
  }

  setStatuses(statuses: ReadonlyMap<string, ObjectStatus>): void {
    const told = new Map<string, Told>();
    for (const [key, { ref, findings }] of statuses) {
      const store = this.#followerOf(ref)?.store;
      if (store?.kind.hasConditions) told.set(key, { findings, generation: store.statusOf(key)?.generation });
    }
    this.#told = told;
    this.#options.onChange();
  }

  /** Objects whose conditions may be due. */
  *refs(): Iterable<Ref> {
    for (const { store } of this.#options.followers()) if (store.kind.hasConditions) yield* store.present();
  }

  /** The condition that an object lacks now; undefined: it has what it should, or that is not known. */
  due(ref: Ref): DueCondition | undefined {
    const key = refKey(ref);
    const follower = this.#followerOf(ref);
    const read = follower?.store.statusOf(key);
    if (follower?.target === undefined || follower.isAbsent || read === undefined) return undefined;
    const findings = this.#findingsOf(key, read);
    if (findings === undefined) return undefined;
    const accepted = acceptedCondition(findings, read, this.#options.clock.wall());
    const programmed = this.#options.programmed(read, accepted.status === 'True');
    const isSame = programmed === undefined || isSameCondition(read.programmed, programmed);
    if (isSame && isSameCondition(read.accepted, accepted)) return undefined;
    const conditions = [accepted, ...(programmed === undefined ? [] : [programmed])];
    return { key, ref, uid: read.uid, target: follower.target, conditions };
  }

  /** Those in force that it is not said of that proxies have them. */
  *unprogrammed(): Iterable<ReadStatus> {
    for (const ref of this.refs()) {
      const key = refKey(ref);
      const read = this.#followerOf(ref)?.store.statusOf(key);
      if (read === undefined || isProgrammed(read)) continue;
      const findings = this.#findingsOf(key, read);
      if (findings !== undefined && !isRefused(findings)) yield read;
    }
  }

  #findingsOf(key: string, { generation }: ReadStatus): readonly ConditionFinding[] | undefined {
    if (this.#own === undefined || this.#told === undefined || this.#undecided.has(key)) return undefined;
    const told = this.#told.get(key);
    // What was found about an older generation: it is looked at again within seconds.
    if (told !== undefined && told.generation !== generation) return undefined;
    return [...(this.#own.get(key) ?? []), ...(told?.findings ?? [])];
  }

  #followerOf({ kind }: Ref): KindFollower | undefined {
    return this.#options.followers().find(({ store }) => store.kind.kind === kind);
  }
}

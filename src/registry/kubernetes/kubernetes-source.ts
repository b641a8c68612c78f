import { type Clock, sleep, type Timer } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { KubeAccess } from '../../kube/config/kube-access.ts';
import { createKubeClient } from '../../kube/kube-client.ts';
import type { ConnectionTiming } from '../../kube/kube-connection.ts';
import { type Change, type Ref, refKey } from '../../model/object.ts';
import { createObjectsInForce } from '../files/objects-in-force.ts';
import { createLossGuard, type LossRule, losesAllInstances, lossRule } from '../lastgood/loss-guard.ts';
import { type LastGoodStatus, noFacets, type ProxyProgress, type Sink, type Source } from '../source.ts';
import { ConditionReporter, type ConditionTiming } from './condition-reporter.ts';
import { followedKinds } from './followed-kinds.ts';
import { GateAsker } from './gated-entries.ts';
import { JointRelease, type JointTiming } from './joint/joint-release.ts';
import { KindFollower, type KubernetesTiming, kubernetesTiming } from './kind-follower.ts';
import { KindStore } from './kind-store.ts';
import { readGapsOf, reportKubeFindings, troubleMessages, undecidedKeys } from './kube-report.ts';
import { SelectedNamespaces } from './selected-namespaces.ts';

/** What a Kubernetes source needs. */
interface KubernetesOptions {
  /** How to get to the API server, read when the source starts. Throws MeshError. */
  readonly access: () => KubeAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  /** Selector of labels of namespaces whose objects count, as `kubectl -l` has it. Absent: all count. */
  readonly discoveryNamespaces?: string | undefined;
  /** Absent: nothing is written but the removal of finalizers, by the word of this control plane alone. */
  readonly conditions?: ConditionsBy;
}

/** Who writes conditions, and releases finalizers. */
interface ConditionsBy {
  /** Of all that read the objects for an IDC one writes, and each is asked. */
  readonly idc: string;
  /** No two processes may have one. */
  readonly identity: string;
}

/** What tests replace. */
interface KubernetesSeam {
  readonly timing?: Partial<KubernetesTiming>;
  readonly status?: Partial<ConditionTiming & JointTiming>;
  readonly connection?: ConnectionTiming;
  readonly loss?: LossRule;
  /** False: what was passed over of a namespace before it was selected is not read. */
  readonly completesSelections?: boolean;
  /** False: what was told of counts as confirmed by all proxies. */
  readonly asksProxies?: boolean;
}

/** How long a start waits until the other control planes know of it, in milliseconds. */
const joinMs = 2_000;

/** Deletions that the API server tells of are meant one by one: none waits, but for the loss of very many. */
const kubernetesLoss: LossRule = { ...lossRule, settleMs: 0, soleMs: 0 };

/**
 * Creates the `kubernetes` source: the objects of all kinds of an API server, kept up with by watches.
 * `start` waits for an API server that is away, and rejects only if the access is wrong. docs/kubernetes.md
 * says what is asked for, and what happens when it is not answered.
 */
export function createKubernetesSource(options: KubernetesOptions, seam: KubernetesSeam = {}): Source {
  return new KubernetesSource(options, seam);
}

class KubernetesSource implements Source {
  readonly name = 'kubernetes';
  readonly #options: KubernetesOptions;
  readonly #seam: KubernetesSeam;
  readonly #inForce = createObjectsInForce();
  readonly #guard;
  readonly #stores: readonly KindStore[];
  #followers: readonly KindFollower[] = [];
  /** Absent: all namespaces count. */
  #namespaces: SelectedNamespaces | undefined;
  #origin = '';
  #sink: Sink | undefined;
  #signal: AbortSignal = AbortSignal.abort();
  #settled: (() => void) | undefined;
  #timer: Timer | undefined;
  #held = 0;
  #heardAtMs: number | undefined;
  #isReportDue = false;
  #reporter: ConditionReporter | undefined;
  #joint: JointRelease | undefined;
  readonly #gates: GateAsker;

  constructor(options: KubernetesOptions, seam: KubernetesSeam) {
    this.#options = options;
    this.#seam = seam;
    this.#guard = createLossGuard(seam.loss ?? kubernetesLoss);
    this.#stores = followedKinds.map(
      (kind) => new KindStore(kind, this.#inForce, (name) => this.#namespaces?.has(name) ?? true),
    );
    this.#gates = this.#createGates();
    const { conditions, clock, random } = options;
    if (conditions === undefined) return;
    const reporter = new ConditionReporter({
      ...{ ...conditions, clock, random, timing: seam.status, followers: () => this.#followers },
      joint: () => this.#joint,
      onState: () => {
        this.#joint?.wake();
        this.#onState();
      },
    });
    this.#reporter = reporter;
    this.#joint = new JointRelease({
      ...{ ...conditions, clock, random, timing: seam.status, onState: this.#onState },
      ...{ isElected: () => reporter.isElected, electionTrouble: () => reporter.electionTrouble },
      waiting: () =>
        this.#stores.flatMap((store) => [
          ...store.leavingUids(),
          ...[...store.gated()].map(({ key }) => key),
          ...[...reporter.awaited()].map(([key]) => key),
        ]),
      counted: () => reporter.awaited(),
    });
  }

  /** Says in instances that Pods wait for that all proxies have them. */
  #createGates(): GateAsker {
    return new GateAsker({
      gated: () => this.#stores.flatMap((store) => [...store.gated()]),
      confirmed: (then) => {
        if (this.#seam.asksProxies === false) then();
        else this.#sink?.confirmed?.(then);
      },
      onConfirmed: (entry) => {
        const follower = this.#followers.find(({ kind }) => kind === entry.ref.kind);
        const note = async () => follower?.notePropagated(entry);
        if (this.#joint === undefined) void note();
        else this.#joint.confirm(entry.key, note);
      },
    });
  }

  async start(sink: Sink, signal: AbortSignal): Promise<void> {
    const { clock, random, logger = silentLogger } = this.#options;
    if (signal.aborted) return;
    const access = this.#options.access();
    this.#origin = access.server.origin;
    const client = createKubeClient(access, { clock, timing: this.#seam.connection });
    this.#sink = sink;
    this.#signal = signal;
    signal.addEventListener('abort', () => {
      this.#timer?.cancel();
      client.close();
      this.#settled?.();
    });
    const timing = { ...kubernetesTiming, ...this.#seam.timing };
    this.#followers = this.#stores.map(
      (store) =>
        new KindFollower(
          { ...{ client, store, clock, random, timing }, onRead: this.#onRead, onState: this.#onState },
          signal,
        ),
    );
    logger.info('reading the registry from Kubernetes', { server: this.#origin, access: access.origin });
    const settled = new Promise<void>((resolve) => {
      this.#settled = resolve;
    });
    const joined = this.#joint?.start(client, access.namespace, signal);
    // No object is served of whose end the others would not ask; but nothing that is served waits for long.
    if (joined !== undefined) await Promise.race([joined, sleep(clock, joinMs, signal).catch(() => {})]);
    const { discoveryNamespaces: labelSelector } = this.#options;
    if (labelSelector !== undefined) {
      logger.info('only namespaces with certain labels count', { labelSelector });
      this.#namespaces = new SelectedNamespaces({
        ...{ client, labelSelector, clock, random, timing },
        ...{ onChange: this.#onNamespaces, onState: this.#onState },
      });
      void this.#namespaces.run(signal);
    }
    for (const follower of this.#followers) void this.#follow(follower);
    this.#reporter?.start(client, access.namespace, signal);
    await settled;
    if (signal.aborted) return;
    // With it conditions begin.
    this.#isReportDue ||= this.#reporter !== undefined;
    this.#apply();
    sink.changes([{ type: 'synced', source: this.name, at: clock.now() }]);
    this.#gates.ask();
    if (sink.progress !== undefined) this.#reporter?.track(this.#progress, signal);
    clock.after(timing.strangerMs, this.#releaseStrangers);
  }

  /** Namespaces are known before what lives in them. */
  async #follow(follower: KindFollower): Promise<void> {
    if (follower.store.kind.isNamespaced) await this.#namespaces?.listed;
    await follower.run();
  }

  readonly #onNamespaces = (names: ReadonlySet<string>): void => {
    const deselected = new Set([...names].filter((name) => this.#namespaces?.has(name) === false));
    for (const store of this.#stores) store.deselect(deselected);
    const { completesSelections = true } = this.#seam;
    for (const follower of this.#followers) if (completesSelections) follower.completeSelection();
    this.#onRead();
  };

  /** All that is followed. */
  get #followed() {
    const namespaces = this.#namespaces && { kind: 'Namespace', trouble: this.#namespaces.trouble };
    return [...this.#followers, ...(namespaces === undefined ? [] : [namespaces])];
  }

  /** Objects deleted before this process read them: nobody asks for their release. */
  readonly #releaseStrangers = (): void => {
    if (this.#signal.aborted) return;
    for (const { ref } of this.#stores.flatMap((store) => store.takeStrangers())) void this.#release(ref);
    const { strangerMs } = { ...kubernetesTiming, ...this.#seam.timing };
    this.#options.clock.after(strangerMs, this.#releaseStrangers);
  };

  async #release(ref: Ref): Promise<void> {
    const follower = this.#followers.find(({ store }) => store.kind.kind === ref.kind);
    const uid = follower?.store.leaving(refKey(ref))?.uid;
    if (follower === undefined || uid === undefined) return;
    const release = () => follower.release(refKey(ref), uid);
    if (this.#joint === undefined) await release();
    else this.#joint.confirm(uid, release);
  }

  readonly #progress = (): (() => ProxyProgress) | undefined =>
    this.#seam.asksProxies === false ? () => ({ acked: 0, proxies: 0 }) : this.#sink?.progress?.();

  objects() {
    return this.#inForce.objects();
  }

  repair(batch: readonly Change[]): void {
    if (!this.#signal.aborted) this.#sink?.changes(batch);
  }

  get facets() {
    return {
      ...noFacets,
      status: this.#reporter?.sink ?? ('none' as const),
      finalizers: { release: (ref: Ref) => this.#release(ref) },
      deletionGuard: { confirm: () => this.#confirm() },
      lastGood: { status: () => this.#status() },
    };
  }

  readonly #onRead = (): void => {
    this.#heardAtMs = this.#options.clock.wall();
    if (this.#stores.some((store) => store.hasNewStatus)) this.#reporter?.wake();
    for (const store of this.#stores) store.hasNewStatus = false;
    if (this.#settled === undefined) this.#apply();
    else this.#applyFirst();
  };

  readonly #onState = (): void => {
    this.#isReportDue = true;
    if (this.#settled === undefined) this.#apply();
    else {
      this.#applyFirst();
      this.#report();
    }
  };

  /** During the start objects come into force as they are read, once all Idcs are known: others name them. */
  #applyFirst(): void {
    if (this.#signal.aborted) return;
    if (!this.#followers.every(({ isSettled, store }) => isSettled || store.kind.kind !== 'Idc')) return;
    const { upserts } = this.#inForce.applyClaims([]);
    const at = this.#options.clock.now();
    if (upserts.length > 0) this.#sink?.changes(upserts.map((object) => ({ type: 'upsert', object, at })));
    if (!this.#followers.every(({ isSettled, store }) => isSettled && !store.hasDeletions)) return;
    const settled = this.#settled;
    this.#settled = undefined;
    settled?.();
  }

  /** Brings into force what was read, and tells the sink. */
  #apply(): void {
    if (this.#signal.aborted) return;
    const { clock } = this.#options;
    const at = clock.now();
    const { missing } = this.#inForce;
    const verdict = this.#guard.decide({
      ...{ now: at, missing, inForce: this.#inForce.size, found: this.#inForce.foundCount },
      ...{ isFound: this.#inForce.isFound, isReplaced: this.#inForce.isReplaced, replaced: false },
      ...{ sole: () => new Map(), readable: true },
      allInstances: losesAllInstances(missing, this.#inForce.objects()),
    });
    const { deletes, upserts } = this.#inForce.applyClaims(verdict.remove);
    const batch: Change[] = [
      ...deletes.map((ref): Change => ({ type: 'delete', ref, at: verdict.since })),
      ...upserts.map((object): Change => ({ type: 'upsert', object, at })),
    ];
    if (batch.length > 0) this.#sink?.changes(batch);
    this.#gates.ask();
    const held = verdict.held ? missing.size : 0;
    if (held !== this.#held) this.#isReportDue = true;
    this.#held = held;
    this.#report();
    this.#timer?.cancel();
    if (missing.size > 0 && verdict.checkAgainMs !== undefined)
      this.#timer = clock.after(Math.max(1, verdict.checkAgainMs), () => this.#apply());
  }

  #report(): void {
    const isDue = this.#isReportDue || this.#stores.some((store) => store.isReportDue);
    if (!isDue || this.#signal.aborted) return;
    this.#isReportDue = false;
    for (const store of this.#stores) store.isReportDue = false;
    const input = {
      origin: this.#origin,
      followers: this.#followers,
      followed: this.#followed,
      inForce: this.#inForce,
      held: this.#held,
      unwritten: this.#reporter?.troubles ?? [],
      unreleased: this.#joint?.findings ?? [],
    };
    const findings = reportKubeFindings(input);
    this.#sink?.problems(findings, readGapsOf(this.#followers, this.#inForce));
    // During the start not all that others need was read.
    if (this.#settled === undefined)
      this.#reporter?.sink.setOwn(findings, undecidedKeys(this.#followers, this.#inForce));
  }

  #confirm(): number {
    const orphans = this.#stores.reduce((sum, store) => sum + store.confirm(), 0);
    const count = this.#inForce.missing.size;
    if (count > 0) {
      this.#guard.confirm();
      this.#isReportDue = true;
      this.#apply();
    }
    return Math.max(orphans, count);
  }

  #status(): LastGoodStatus {
    const [reason] = troubleMessages(this.#followed);
    return {
      ...{ from: 'source', objects: this.#inForce.size, held: this.#held, repaired: 0 },
      ...(reason !== undefined && { reason }),
      ...(this.#heardAtMs !== undefined && { knownGoodAt: this.#heardAtMs }),
    };
  }
}

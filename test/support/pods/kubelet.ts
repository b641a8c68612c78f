import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { systemClock as clock, sleep } from '../../../src/base/clock.ts';
import { endsWithMe } from '../kube/ends-with-me.ts';
import type { KubeApi } from '../kube/kube-api.ts';

/** A Pod, as far as a kubelet of tests reads it. */
interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly spec: {
    readonly containers: readonly [
      {
        readonly name: string;
        readonly image: string;
        readonly command: readonly [string, ...string[]];
        readonly ports: readonly [{ readonly containerPort: number }];
        readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
      },
    ];
    readonly readinessGates?: readonly { readonly conditionType: string }[];
  };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** A Pod that runs here. */
interface RunningPod {
  readonly address: string;
  readonly process: ChildProcess;
  isUp: boolean;
  isStopping: boolean;
  /** What was last said of the condition `Ready`. */
  ready: boolean | undefined;
}

const lookMs = 50;

/**
 * A kubelet: runs the first container of each Pod of the namespace `shop` as a process here, at an address
 * of its own on loopback. It honours readiness gates, `preStop.sleep` and the grace period; a Pod is ready
 * when its port takes connections. It ends with the test.
 */
export class Kubelet {
  readonly #api: KubeApi;
  readonly #pods = new Map<string, RunningPod>();
  #given = 0;
  #isOver = false;
  /** Pods whose process has ended because they were deleted. */
  stopped = 0;

  private constructor(api: KubeApi) {
    this.#api = api;
  }

  static start(t: Test, api: KubeApi): Kubelet {
    const kubelet = new Kubelet(api);
    const done = kubelet.#run();
    t.teardown(async () => {
      kubelet.#isOver = true;
      await done;
      for (const { process } of kubelet.#pods.values()) process.kill('SIGKILL');
    });
    return kubelet;
  }

  /** The addresses of the Pods that run. */
  get addresses(): readonly string[] {
    return [...this.#pods.values()].map(({ address }) => address);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const { items } = (await this.#api.must('GET', '/api/v1/namespaces/shop/pods')) as { items: Pod[] };
      for (const pod of items) await this.#look(pod);
      const live = new Set(items.map(({ metadata }) => metadata.uid));
      for (const [uid, { process }] of this.#pods) if (!live.has(uid)) this.#forget(uid, process);
      await sleep(clock, lookMs);
    }
  }

  /** Deleted by force: nobody asks any more. */
  #forget(uid: string, process: ChildProcess): void {
    process.kill('SIGKILL');
    this.#pods.delete(uid);
  }

  async #look(pod: Pod): Promise<void> {
    const { uid, deletionTimestamp } = pod.metadata;
    const running = this.#pods.get(uid);
    if (deletionTimestamp !== undefined) {
      if (running !== undefined && !running.isStopping) void this.#stop(pod, running);
      return;
    }
    if (running === undefined) {
      this.#begin(pod);
      return;
    }
    running.isUp ||= await takesConnections(running.address, pod.spec.containers[0].ports[0].containerPort);
    const has = new Map((pod.status.conditions ?? []).map(({ type, status }) => [type, status]));
    const gates = pod.spec.readinessGates ?? [];
    const isReady = running.isUp && gates.every(({ conditionType }) => has.get(conditionType) === 'True');
    if (running.ready === isReady && has.get('ContainersReady') === statusOf(running.isUp)) return;
    running.ready = isReady;
    await this.#tell(pod, running, isReady);
  }

  #begin({ metadata, spec }: Pod): void {
    this.#given += 1;
    const address = `127.0.2.${this.#given}`;
    const { command, ports } = spec.containers[0];
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(command[0], command.slice(1), {
      env: { ...env, POD_IP: address, PORT: String(ports[0].containerPort) },
      stdio: 'ignore',
    });
    endsWithMe(child);
    this.#pods.set(metadata.uid, {
      ...{ address, process: child, isUp: false, isStopping: false, ready: undefined },
    });
  }

  async #tell({ metadata, spec }: Pod, { address, isUp }: RunningPod, isReady: boolean): Promise<void> {
    const now = `${new Date(clock.wall()).toISOString().slice(0, 19)}Z`;
    const conditions = Object.entries({
      ...{ PodScheduled: true, Initialized: true, ContainersReady: isUp, Ready: isReady },
    }).map(([type, is]) => ({ type, status: statusOf(is), lastTransitionTime: now }));
    const { name, image } = spec.containers[0];
    const state = { running: { startedAt: now } };
    await this.#api.call(
      'PATCH',
      `${pathOf(metadata)}/status`,
      {
        status: {
          ...{ phase: 'Running', podIP: address, podIPs: [{ ip: address }], startTime: now, conditions },
          containerStatuses: [{ ...{ name, image, imageID: '', restartCount: 0, state }, ready: isUp }],
        },
      },
      // Conditions merge by type: others keep theirs.
      'application/strategic-merge-patch+json',
    );
  }

  /** The hook, then SIGTERM, SIGKILL at the end of the grace period, then the Pod is gone. */
  async #stop({ metadata, spec }: Pod, running: RunningPod): Promise<void> {
    running.isStopping = true;
    const deadline = clock.now() + (metadata.deletionGracePeriodSeconds ?? 30) * 1_000;
    const hookMs = (spec.containers[0].lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
    await sleep(clock, hookMs);
    const { process } = running;
    const ended = process.exitCode === null ? once(process, 'exit') : Promise.resolve([]);
    process.kill('SIGTERM');
    const late = clock.after(Math.max(0, deadline - clock.now()), () => process.kill('SIGKILL'));
    await ended;
    late.cancel();
    this.stopped += 1;
    if (this.#isOver) return;
    await this.#api.call('DELETE', pathOf(metadata), {
      ...{ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 },
      preconditions: { uid: metadata.uid },
    });
    this.#pods.delete(metadata.uid);
  }
}

const statusOf = (is: boolean) => (is ? 'True' : 'False');

const pathOf = ({ namespace, name }: Pod['metadata']) => `/api/v1/namespaces/${namespace}/pods/${name}`;

function takesConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

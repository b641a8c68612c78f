import type { Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { readKubeconfig } from '../../../src/kube/config/kubeconfig.ts';
import { connectionTiming } from '../../../src/kube/kube-connection.ts';
import type { ConditionTiming } from '../../../src/registry/kubernetes/condition-reporter.ts';
import { type KubernetesTiming, kubernetesTiming } from '../../../src/registry/kubernetes/kind-follower.ts';
import { createKubernetesSource } from '../../../src/registry/kubernetes/kubernetes-source.ts';
import type { LossRule } from '../../../src/registry/lastgood/loss-guard.ts';
import { Recorder } from '../../registry/recorder.ts';

/** Short pauses, so that tests do not wait. */
export const quickTiming: KubernetesTiming = {
  ...kubernetesTiming,
  backOff: { firstMs: 20, maxMs: 200 },
  absentMs: 100,
};

/** A source that writes conditions: who it is for the Lease, and its times. */
interface WritingWorld {
  readonly identity: string;
  readonly status?: Partial<ConditionTiming>;
}

/** Which namespaces count; whether what was passed over is read once they do; what is held. */
interface NamespacesWorld {
  readonly discoveryNamespaces?: string;
  readonly completesSelections?: boolean;
  readonly loss?: LossRule;
}

/** The same for conditions; what is contested stays so. */
export const quickStatus: ConditionTiming = {
  ...{ gatherMs: 20, refusedMs: 200, contestedMs: 600_000 },
  ...{ renewMs: 200, durationMs: 4_000, settleMs: 0, pendingMs: 500 },
};

/** A source of an API server, and what it tells; it ends with the test. */
export function watchWorld(
  t: Test,
  file: string,
  timing: Partial<KubernetesTiming> = {},
  writing?: WritingWorld,
  { discoveryNamespaces, ...seam }: NamespacesWorld = {},
) {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const seen = new Recorder();
  const source = createKubernetesSource(
    {
      ...{ access: () => readKubeconfig({ file }, systemClock), clock: systemClock, random: seededRandom(1) },
      discoveryNamespaces,
      ...(writing && { conditions: { idc: 'sh-a', identity: writing.identity } }),
    },
    {
      ...{ timing: { ...quickTiming, ...timing }, connection: connectionTiming },
      status: { ...quickStatus, ...writing?.status },
      ...seam,
    },
  );
  const started = source.start(seen, stop.signal);
  return { seen, source, started, stop: () => stop.abort() };
}

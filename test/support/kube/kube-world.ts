import type { Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { readKubeconfig } from '../../../src/kube/config/kubeconfig.ts';
import { connectionTiming } from '../../../src/kube/kube-connection.ts';
import { type KubernetesTiming, kubernetesTiming } from '../../../src/registry/kubernetes/kind-follower.ts';
import { createKubernetesSource } from '../../../src/registry/kubernetes/kubernetes-source.ts';
import { Recorder } from '../../registry/recorder.ts';

/** Short pauses, so that tests do not wait. */
export const quickTiming: KubernetesTiming = {
  ...kubernetesTiming,
  backOff: { firstMs: 20, maxMs: 200 },
  absentMs: 100,
};

/** A source of an API server, and what it tells; it ends with the test. */
export function watchWorld(t: Test, file: string, timing: Partial<KubernetesTiming> = {}) {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const seen = new Recorder();
  const source = createKubernetesSource(
    { access: () => readKubeconfig({ file }, systemClock), clock: systemClock, random: seededRandom(1) },
    { timing: { ...quickTiming, ...timing }, connection: connectionTiming },
  );
  const started = source.start(seen, stop.signal);
  return { seen, source, started, stop: () => stop.abort() };
}

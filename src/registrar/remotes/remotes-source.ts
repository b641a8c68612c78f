import type { Clock } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { KubeAccess } from '../../kube/config/kube-access.ts';
import { readForeignKubeconfig } from '../../kube/config/kubeconfig.ts';
import { createKubeClient } from '../../kube/kube-client.ts';
import { noFacets, type Source } from '../../registry/source.ts';
import { Remotes, type RemotesTiming } from './remotes.ts';

/** What the source of Remotes needs. */
interface RemotesSourceOptions {
  readonly idc: string;
  /** No two processes may have one. */
  readonly identity: string;
  /** How to get to the Primary, read when the source starts. Throws MeshError. */
  readonly access: () => KubeAccess;
  /** The namespace of the Secrets. */
  readonly secrets: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  /** What tests replace. */
  readonly timing?: RemotesTiming;
}

/**
 * Creates the source `remotes`, which has no objects: Remotes are registered in the Primary, and what is
 * there comes from the source `kubernetes`. It tells what is wrong with them. No start waits for it.
 */
export function createRemotesSource(options: RemotesSourceOptions): Source {
  const { access: accessOf, clock, logger = silentLogger } = options;
  const name = 'remotes';
  return {
    name,
    async start(sink, signal) {
      const access = accessOf();
      const primary = createKubeClient(access, { clock });
      let told = '';
      const remotes = new Remotes({
        ...{ ...options, logger, primary, namespace: access.namespace },
        open: (kubeconfig, place) =>
          createKubeClient(readForeignKubeconfig(kubeconfig, place, clock), { clock }),
        onState() {
          if (signal.aborted) return;
          const findings = remotes.findings();
          const text = JSON.stringify(findings);
          if (text !== told) sink.problems(findings);
          told = text;
        },
      });
      sink.changes([{ type: 'synced', source: name, at: clock.now() }]);
      void remotes.run(signal).finally(() => primary.close());
    },
    objects: () => [],
    repair() {},
    facets: noFacets,
  };
}

// A control plane that reads a source and tells what its start took: `node plane-main.ts kubernetes|files
// PLACE`.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { createFilesSource } from '../../src/registry/files/files-source.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { keepLastGood } from '../../src/registry/lastgood/last-good-source.ts';
import { watchLoopTurns } from '../../test/support/loop-turns.ts';

const [kind, place = ''] = process.argv.slice(2);
const open =
  kind === 'files'
    ? () => createFilesSource({ folder: place, clock })
    : () =>
        createKubernetesSource({
          ...{ access: () => readKubeconfig({ file: place }, clock), clock, random: systemRandom },
        });
const source = keepLastGood({ open, idc: 'sh-a', clock });
const turns = watchLoopTurns();
const before = clock.now();
const cpu = process.cpuUsage();
const plane = await startControlPlane({
  ...{ idc: 'sh-a', sources: [source], hopLimit: 1, clock, logger: silentLogger },
  xds: { address: '127.0.0.1', port: 0 },
});
const readyMs = clock.now() - before;
const used = process.cpuUsage(cpu);
const turnMs = turns.stop();
await sleep(1_000);
globalThis.gc?.();
const { rss } = process.memoryUsage();
const objects = [...source.objects()].length;
console.log(
  JSON.stringify({
    ...{ objects, readyMs, turnMs, cpuMs: (used.user + used.system) / 1000, rssMiB: rss / 2 ** 20 },
    peakMiB: process.resourceUsage().maxRSS / 1024,
  }),
);
await plane.close();
process.exit();

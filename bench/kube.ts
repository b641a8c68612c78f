// The start of a control plane from a real Kubernetes API: `node bench/kube.ts [--services N] [--instances N]
// [--namespaces N]`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { KubeApi, kubeTools } from '../test/support/kube/kube-api.ts';
import { collectionOf, defineKinds, putObject } from '../test/support/kube/kube-kinds.ts';
import { fillEtcd, type KubeScale, meshObjects } from './kube/fill.ts';
import { conclude } from './support/conclude.ts';
import { atMost, figure, table } from './support/table.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '30000' },
    instances: { type: 'string', default: '30000' },
    namespaces: { type: 'string', default: '100' },
    /** Most seconds of CPU until it is ready: its wall time on a machine of its own. */
    ready: { type: 'string', default: '10' },
  },
});
const scale: KubeScale = {
  services: Number(values.services),
  instances: Number(values.instances),
  namespaces: Number(values.namespaces),
};
const idc = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Idc',
  metadata: { name: 'sh-a' },
  spec: {
    ingress: [{ address: '10.9.0.1', edgePort: 8080, peerPort: 15443 }],
    egress: [{ address: '10.9.0.2', sidecarPort: 15444, ingressPort: 15445 }],
  },
};

/** What `kube/plane-main.ts` prints. */
interface Start {
  readonly objects: number;
  readonly readyMs: number;
  readonly turnMs: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
  readonly peakMiB: number;
}

function start(kind: 'kubernetes' | 'files', place: string): Start {
  const main = fileURLToPath(new URL('kube/plane-main.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--expose-gc', main, kind, place], { encoding: 'utf8' });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Start;
}

/** Files of 500 objects each, with what the API server would serve. */
function writeFolder(folder: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'idc.yaml'), JSON.stringify(idc));
  let text: string[] = [];
  let files = 0;
  const flush = () => {
    writeFileSync(join(folder, `mesh-${files++}.yaml`), text.join('---\n'));
    text = [];
  };
  for (const { plural: _, ...object } of meshObjects(scale)) {
    const { managedFields: __, ...metadata } = object.metadata;
    text.push(`${JSON.stringify({ ...object, metadata })}\n`);
    if (text.length === 500) flush();
  }
  if (text.length > 0) flush();
}

/** Until the API server's own caches hold everything: it answers 429 before. */
async function warm(api: KubeApi): Promise<void> {
  for (const kind of ['ServiceEntry', 'WorkloadEntry'])
    while ((await api.call('GET', `${collectionOf(kind)}?limit=1&resourceVersion=0`)).status !== 200)
      await sleep(500);
}

async function bench(): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  try {
    const api = await KubeApi.start({ teardown: (end) => ends.push(end) });
    await defineKinds(api);
    await putObject(api, idc);
    await fillEtcd(api, scale);
    await warm(api);
    const folder = join(api.folder, 'mesh');
    writeFolder(folder);
    const file = api.kubeconfig();
    const starts = [1, 2, 3].map(() => start('kubernetes', file));
    const files = start('files', folder);
    judge(starts, files);
  } finally {
    for (const end of ends) await end();
  }
}

function judge(starts: readonly Start[], files: Start): void {
  const rows = [...starts.map((one) => ({ name: 'kubernetes', ...one })), { name: 'folder', ...files }];
  const columns = ['objects', 'readyMs', 'cpuMs', 'turnMs', 'rssMiB', 'peakMiB'] as const;
  console.log(
    table<(typeof rows)[number]>(
      [
        ['from', ({ name }) => name],
        ...columns.map((key) => [key, (row: Start) => figure(row[key])] as const),
      ],
      rows,
    ),
  );
  const least = (key: keyof Start) => Math.min(...starts.map((one) => one[key]));
  conclude([
    ...atMost('CPU until ready, of a warm API server', least('cpuMs') / 1000, Number(values.ready), 's'),
    ...atMost('the same over that from a folder', least('cpuMs') / files.cpuMs, 1.4, ''),
    ...atMost('longest turn of the event loop, CPU', least('turnMs'), 50, 'ms'),
    ...atMost('RSS over that from a folder', least('rssMiB') / files.rssMiB, 1.3, ''),
  ]);
}

if (kubeTools() === undefined) console.log('bench-kube: skipped: run make kube-tools');
else await bench();

import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { MeshError } from '../../src/base/error.ts';
import { openSource } from '../../src/registry/open.ts';
import { TestFolder } from './folder-fixture.ts';
import { toYaml, workload } from './objects.ts';
import { Recorder } from './recorder.ts';

t.test('files:PATH and a bare path are one', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  for (const address of [`files:${folder.path}`, folder.path]) {
    const stop = new AbortController();
    const seen = new Recorder();
    await openSource(address, { clock: systemClock }).start(seen, stop.signal);
    stop.abort();
    t.strictSame(seen.log(), ['+WorkloadEntry/shop/w-1', 'synced']);
  }
});

t.test('addresses that name nothing', async (t) => {
  const wrong: readonly [string, RegExp][] = [
    ['', /is not a source/],
    ['files:', /is not a source/],
    ['file:/x', /'file' is not a kind of source, known: files, registrations\. Did you mean 'files'/],
  ];
  for (const [address, words] of wrong) {
    try {
      openSource(address, { clock: systemClock });
      t.fail(address);
    } catch (reason) {
      t.ok(
        reason instanceof MeshError && reason.code === 'invalid' && words.test(reason.message),
        String(reason),
      );
    }
  }
});

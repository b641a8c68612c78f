import t from 'tap';
import { parseMaxHeap } from '../../src/cli/options/max-heap.ts';
import { buildBootstrap } from '../../src/translate/bootstrap.ts';

t.test('sizes', async (t) => {
  t.equal(parseMaxHeap('2Gi'), 2 ** 31);
  t.equal(parseMaxHeap('64Mi'), 2 ** 26);
  t.throws(() => parseMaxHeap('2GB'), /not a size/);
  t.throws(() => parseMaxHeap('1Mi'), /too small/);
});

t.test('a part of what the cgroup may take', async (t) => {
  const files = (found: Record<string, string>) => (file: string) => found[file];
  t.equal(parseMaxHeap('cgroup', files({ '/sys/fs/cgroup/memory.max': '1000000000\n' })), 8e8);
  const old = '/sys/fs/cgroup/memory/memory.limit_in_bytes';
  t.equal(parseMaxHeap('cgroup', files({ [old]: '500000000\n' })), 4e8);
  for (const none of [{}, { '/sys/fs/cgroup/memory.max': 'max\n' }, { [old]: '9223372036854771712\n' }])
    t.throws(() => parseMaxHeap('cgroup', files(none as Record<string, string>)), /no memory limit/);
});

t.test('the bootstrap has the limit, 2 GiB by default', async (t) => {
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } as const;
  const xds = [{ address: '127.0.0.1', port: 15010 }];
  const monitors = (more: object) =>
    buildBootstrap({ id: 'a', scope, xds, ...more }).overload_manager?.resource_monitors;
  t.match(monitors({}), [{ typed_config: { max_heap_size_bytes: '2147483648' } }, {}]);
  t.match(monitors({ maxHeapBytes: 2 ** 28 }), [{ typed_config: { max_heap_size_bytes: '268435456' } }, {}]);
});

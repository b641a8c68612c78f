import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { trailHeader } from '../../src/model/trail.ts';
import { assemble } from '../../src/trail/assemble.ts';
import { sendRaw, startGateway, wasmFilter } from './gateway.ts';

// A filter made for this: it traps when the trail is there at all, and else lets pass. Its memory is one
// page, as ours.
const trapping = await assemble(
  new Map([
    [
      'env.ts',
      'export declare function proxy_get_header_map_value(map: u32, key: usize, length: usize, value: usize, size: usize): u32;',
    ],
    [
      'index.ts',
      `import { proxy_get_header_map_value } from './env';
const KEY: usize = memory.data<u8>([${[...Buffer.from(trailHeader)].join(', ')}]);
const OUT: usize = memory.data(8, 4);
const ROOM: usize = memory.data(512, 8);
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize {
  return size <= 512 ? ROOM : 0;
}
export function proxy_on_configure(_root: u32, _size: u32): u32 {
  return 1;
}
export function proxy_on_request_headers(_context: u32, _headers: u32, _end: u32): u32 {
  if (proxy_get_header_map_value(0, KEY, ${trailHeader.length}, OUT, OUT + 4) !== 1) unreachable();
  return 0;
}
`,
    ],
  ]),
);

const backoffMs = 1_000;

t.test('a filter that traps is started anew with FAIL_RELOAD, and never with FAIL_CLOSED', async (t) => {
  const reloading = wasmFilter('reloading', trapping);
  const closed = JSON.parse(
    JSON.stringify(wasmFilter('closed', trapping)).replace('FAIL_RELOAD', 'FAIL_CLOSED'),
  );
  delete closed.typed_config.config.reload_config;
  const gateway = await startGateway([
    { name: 'reloading', filter: reloading },
    { name: 'closed', filter: closed },
  ]);
  t.teardown(() => gateway.close());
  const ask = async (name: string, trail?: string) =>
    (await sendRaw(gateway.ports.get(name) as number, trail === undefined ? [] : [[trailHeader, trail]]))
      .status;
  const reloads = async () => {
    const text = await gateway.admin('/stats?filter=vm_reload');
    const sum = (name: string) =>
      [...text.matchAll(new RegExp(`${name}: (\\d+)`, 'g'))].reduce(
        (total, [, count]) => total + Number(count),
        0,
      );
    return { success: sum('vm_reload_success'), failure: sum('vm_reload_failure') };
  };
  t.equal(await ask('reloading'), 200);
  t.equal(await ask('closed'), 200);
  t.equal(await ask('closed', 'sh-a'), 503, 'trapped');

  for (const round of [1, 2]) {
    const start = performance.now();
    t.match(await ask('reloading', 'sh-a'), /^50[03]$/, 'trapped');
    t.equal(await ask('reloading'), 503, 'closed meanwhile: nothing gets past a filter that is not there');
    while ((await ask('reloading')) === 503) await sleep(systemClock, 20);
    const tookMs = performance.now() - start;
    t.equal(await ask('reloading'), 200, 'works again');
    t.ok(tookMs <= 10 * backoffMs, `after ${Math.round(tookMs)} ms`);
    t.same(await reloads(), { success: round, failure: 0 }, 'counted');
  }
  // The other one has had all of that time too.
  t.equal(await ask('closed'), 503, 'the control: FAIL_CLOSED stays closed');
});

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { guardedListeners } from '../../src/model/trail.ts';
import { assemble } from '../../src/trail/assemble.ts';
import { canonicalPolicy, type FilterPolicy } from '../../src/trail/canonical.ts';
import { checkFilter } from '../../src/trail/check-filter.ts';
import { policySource } from '../../src/trail/program.ts';

const dir = new URL('../../wasm/assembly/', import.meta.url);
const sources = new Map(readdirSync(dir).map((name) => [name, readFileSync(new URL(name, dir), 'utf8')]));
const peerPolicy: FilterPolicy = {
  idc: 'sh-b',
  peers: ['bj-a', 'sh-a'],
  hopLimit: 2,
  listener: 'ingress-peer',
  enforce: true,
};
const egressPolicy: FilterPolicy = { ...peerPolicy, listener: 'egress-ingress' };
const offPolicy: FilterPolicy = { ...peerPolicy, enforce: false };
const edgePolicy: FilterPolicy = { ...peerPolicy, listener: 'ingress-edge' };

function compiled(policy: FilterPolicy, changed = sources): Promise<Uint8Array> {
  return assemble(new Map(changed).set('policy.ts', policySource(canonicalPolicy(policy))));
}

t.test('the example that editors see is what the generator writes', async (t) => {
  const example = policySource(
    canonicalPolicy({ idc: 'sh-b', peers: ['sh-a'], hopLimit: 1, listener: 'ingress-peer', enforce: true }),
  );
  t.equal(sources.get('policy.ts'), example);
});

t.test('a filter for another policy is refused', async (t) => {
  const rows: [string, FilterPolicy, FilterPolicy][] = [
    ['hop limit one more', peerPolicy, { ...peerPolicy, hopLimit: 3 }],
    ['hop limit one less', peerPolicy, { ...peerPolicy, hopLimit: 1 }],
    ['hop limit at the egress', egressPolicy, { ...egressPolicy, hopLimit: 3 }],
    ['another own name', peerPolicy, { ...peerPolicy, idc: 'sh-c' }],
    ['own and peer exchanged', peerPolicy, { ...peerPolicy, idc: 'sh-a', peers: ['bj-a', 'sh-b'] }],
    ['a peer more', peerPolicy, { ...peerPolicy, peers: ['bj-a', 'bj-b', 'sh-a'] }],
    ['a peer less', peerPolicy, { ...peerPolicy, peers: ['sh-a'] }],
    ['off', peerPolicy, { ...peerPolicy, enforce: false }],
    ['off at the egress', egressPolicy, { ...egressPolicy, enforce: false }],
    ['on where it is to be off', { ...peerPolicy, enforce: false }, peerPolicy],
    ['another own name at the edge', edgePolicy, { ...edgePolicy, idc: 'sh-c' }],
    ...guardedListeners.flatMap((listener): [string, FilterPolicy, FilterPolicy][] =>
      guardedListeners
        .filter((other) => other !== listener)
        .map((other) => [
          `${other} at ${listener}`,
          { ...peerPolicy, listener },
          { ...peerPolicy, listener: other },
        ]),
    ),
  ];
  for (const [name, policy, other] of rows) {
    const bytes = await compiled(other);
    await checkFilter(other, bytes);
    await t.rejects(checkFilter(policy, bytes), { code: 'internal', ref: `sh-b/${policy.listener}` }, name);
  }
});

t.test('a filter with a fault in it is refused', async (t) => {
  const rows: [file: string, from: string, to: string, policy: FilterPolicy][] = [
    [
      'index.ts',
      'if (names > HOP_LIMIT) return refuseOverLimit(OVER_LIMIT + ',
      'if (names >= HOP_LIMIT) return refuseOverLimit(OVER_LIMIT + ',
      peerPolicy,
    ],
    ['index.ts', 'if (own > 0)', 'if (own > 1)', peerPolicy],
    ['index.ts', 'if (own > 0)', 'if (last === OWN_INDEX)', peerPolicy],
    ['index.ts', 'own !== 1 || ', '', egressPolicy],
    ['index.ts', ' || last !== OWN_INDEX', '', egressPolicy],
    ['index.ts', 'if (hasStrangers())', 'if (false)', peerPolicy],
    ['index.ts', 'if (hasTrail()) count(SPOOFED);', '', edgePolicy],
    ['index.ts', 'if (hasTrail()) count(SPOOFED);', 'count(SPOOFED);', edgePolicy],
    ['index.ts', 'const LOOPS: u32 = 1', 'const LOOPS: u32 = 2', peerPolicy],
    [
      'index.ts',
      'count(HOPS + COUNTERS_BY_PEER * last);\n  return passVisited(start, append',
      'return passVisited(start, append',
      peerPolicy,
    ],
    [
      'index.ts',
      'count(HOPS + COUNTERS_BY_PEER * last);\n  return passVisited(start, length',
      'return passVisited(start, length',
      offPolicy,
    ],
    ['index.ts', 'load<u8>(OWN + at)', 'load<u8>(OWN)', peerPolicy],
    ['index.ts', 'if (!setHeader(TRAIL_KEY', 'if (setHeader(TRAIL_KEY', edgePolicy],
    [
      'index.ts',
      'VISITED_KEY_LENGTH, visited, visitedLength)) return refuseMalformed()',
      'VISITED_KEY_LENGTH, visited, visitedLength)) return CONTINUE',
      edgePolicy,
    ],
    ['trail.ts', 'NAME_BYTES_MAX: usize = 32', 'NAME_BYTES_MAX: usize = 33', peerPolicy],
    ['trail.ts', 'NAME_BYTES_MAX: usize = 32', 'NAME_BYTES_MAX: usize = 31', peerPolicy],
    ['trail.ts', 'if (length - 1 >= NAME_BYTES_MAX)', 'if (length > NAME_BYTES_MAX)', peerPolicy],
    ['trail.ts', '<u32>load<u8>(start) === DASH || ', '', peerPolicy],
    ['trail.ts', ' || <u32>load<u8>(end - 1) === DASH', '', peerPolicy],
    ['trail.ts', 'byte - 0x61 < 26', 'byte - 0x60 < 27', peerPolicy],
    ['trail.ts', 'byte - 0x61 < 26', 'byte - 0x61 < 25', peerPolicy],
    ['trail.ts', 'byte - 0x30 < 10', 'byte - 0x30 < 11', peerPolicy],
    ['trail.ts', 'byte - 0x30 < 10', 'byte - 0x2f < 11', peerPolicy],
    ['trail.ts', 'nameLength === length && ', '', peerPolicy],
    ['trail.ts', 'at < length; at++) {\n    if', 'at < length - 1; at++) {\n    if', peerPolicy],
    ['trail.ts', '  visited = 0;\n', '', peerPolicy],
    ['trail.ts', '  strangers = false;\n  let', '  let', peerPolicy],
    ['trail.ts', '  own = 0;\n', '', peerPolicy],
    ['trail.ts', 'return take(start, to)', 'return true', peerPolicy],
    ['host.ts', 'size <= TRAIL_BYTES_MAX', 'size < TRAIL_BYTES_MAX', peerPolicy],
    ['host.ts', 'size <= TRAIL_BYTES_MAX', 'size <= TRAIL_BYTES_MAX + 1', peerPolicy],
    [
      'host.ts',
      'TRAIL_PROPERTY, TRAIL_PROPERTY_LENGTH, VALUE',
      'TRAIL_PROPERTY, TRAIL_PROPERTY_LENGTH - 1, VALUE',
      peerPolicy,
    ],
    // What the header map call gives: the first line alone.
    [
      'host.ts',
      'proxy_get_property(TRAIL_PROPERTY, TRAIL_PROPERTY_LENGTH,',
      'proxy_get_header_map_value(REQUEST_HEADERS, TRAIL_KEY, TRAIL_KEY_LENGTH,',
      peerPolicy,
    ],
    ['host.ts', 'GRPC_STATUS);', '-1);', peerPolicy],
    ['index.ts', '1 + OWN_LENGTH <= TRAIL_BYTES_MAX', '1 + OWN_LENGTH < TRAIL_BYTES_MAX', offPolicy],
    ['index.ts', '1 + OWN_LENGTH <= TRAIL_BYTES_MAX', 'OWN_LENGTH <= TRAIL_BYTES_MAX', offPolicy],
    ['index.ts', 'count(HOPS + COUNTERS_BY_PEER * IDC_COUNT);', '', offPolicy],
  ];
  await checkFilter(peerPolicy, await compiled(peerPolicy));
  for (const [file, from, to, policy] of rows) {
    const text = sources.get(file) ?? '';
    t.equal(text.split(from).length, 2, `${file} has '${from}' once`);
    const bytes = await compiled(policy, new Map(sources).set(file, text.replace(from, to)));
    await t.rejects(checkFilter(policy, bytes), { code: 'internal' }, `'${from}' → '${to}'`);
  }
});

t.test('a filter that traps is refused, and what happened is told', async (t) => {
  const text = (sources.get('trail.ts') ?? '').replace(
    'if (last === OWN_INDEX) own++;',
    'if (last === OWN_INDEX) unreachable();',
  );
  const bytes = await compiled(peerPolicy, new Map(sources).set('trail.ts', text));
  await t.rejects(checkFilter(peerPolicy, bytes), {
    code: 'internal',
    message: /trap: RuntimeError: unreachable/,
  });
});

t.test('a file that is no filter is refused', async (t) => {
  const bytes = await compiled(peerPolicy);
  const broken = bytes.slice();
  broken.fill(0xff, 200, 220);
  await t.rejects(
    checkFilter(peerPolicy, new Uint8Array()),
    { code: 'invalid', message: /does not load/ },
    'nothing',
  );
  await t.rejects(
    checkFilter(peerPolicy, bytes.slice(0, -9)),
    { code: 'invalid', message: /does not load/ },
    'half of it',
  );
  await t.rejects(
    checkFilter(peerPolicy, broken),
    { code: 'invalid', message: /does not load/ },
    'broken bytes',
  );
  const index = sources.get('index.ts') ?? '';
  const more = new Map(sources).set(
    'index.ts',
    `${index}\nexport function proxy_on_log(_id: u32): void {}\n`,
  );
  await t.rejects(checkFilter(peerPolicy, await compiled(peerPolicy, more)), {
    code: 'invalid',
    message: /exports.*proxy_on_log/,
  });
  const env = `${sources.get('env.ts')}\nexport declare function proxy_done(): u32;\n`;
  const host = `${sources.get('host.ts')?.replace('import {\n  proxy_define', 'import {\n  proxy_done,\n  proxy_define').replace('  let name: usize', '  proxy_done();\n  let name: usize')}`;
  const asks = await compiled(peerPolicy, new Map(sources).set('env.ts', env).set('host.ts', host));
  await t.rejects(
    checkFilter(peerPolicy, asks),
    { code: 'invalid', message: /proxy_done/ },
    'wants an import that there is not',
  );
  const refuses = new Map(sources).set('index.ts', index.replace('return 1;', 'return 0;'));
  await t.rejects(checkFilter(peerPolicy, await compiled(peerPolicy, refuses)), {
    code: 'invalid',
    message: /refused/,
  });
});

import t from 'tap';
import { parseClustersPage } from '../../src/who/clusters-page.ts';
import { parseStatsPage } from '../../src/who/load/stats-page.ts';
import { NestedList, pageLimits } from '../../src/who/pages/nested-list.ts';

/** A page in parts of `bytes` each: its items with the name so far, and its objects. */
function read(text: string, bytes: number) {
  const told: unknown[] = [];
  const list = new NestedList({
    ...{ list: 'list', inner: 'inner', otherwise: 'no page' },
    onItem: (item, fields) => void told.push([fields.get('name'), item]),
    onObject: (fields) => void told.push(Object.fromEntries(fields)),
  });
  const page = Buffer.from(text);
  for (let at = 0; at < page.length; at += bytes) list.push(page.subarray(at, at + bytes));
  list.end();
  return told;
}

t.test('a page is read the same, whole and byte by byte', async (t) => {
  const text = ` {"more": {"list": [1, "}"]}, "list" : [
    {"name": "a\\"]}\\\\", "inner": [{"x": [1, {"y": "]}"}]}, "ü\\u001b", 1.5e3, true, null, []], "after": -1},
    {"inner": []}, {} ] , "end": [[], "x"] }\n`;
  const whole = [
    ['a"]}\\', { x: [1, { y: ']}' }] }],
    ...['ü\u001b', 1500, true, null, []].map((item) => ['a"]}\\', item]),
    { name: 'a"]}\\', after: -1 },
    {},
    {},
  ];
  for (const bytes of [1, 2, 3, 7, 4096]) t.strictSame(read(text, bytes), whole, `${bytes} bytes`);
});

t.test('what is no page, or not whole', async (t) => {
  const wrong = ['', '[]', 'x', '1', '"a"', '{', '{}}', '{}1', '{"list": 1}', '{"list": [1]}', '{"list": [}'];
  const inner = ['{"list": [{"inner": 1}]}', '{"list": [{"inner": [x]}]}', '{"list": [{1: 2}]}', '{"a": ]}'];
  for (const text of [...wrong, ...inner]) t.throws(() => read(text, 2), { code: 'invalid' }, text);
});

t.test('a page that no Envoy sends costs little', async (t) => {
  const many = (one: string) => one.repeat(Math.floor((16 * 2 ** 20) / one.length));
  const pages = [
    `{"cluster_statuses":[{"host_statuses":[${many('{},')}{}]}]}`,
    `{"cluster_statuses":[${many('{},')}{}]}`,
    `{"cluster_statuses":[{"a":${many('[')}${many(']')}}]}`,
    `{"a":${many('[')}${many(']')}}`,
    `{"cluster_statuses":[{"name":"${many('x')}"}]}`,
    `{${Array.from({ length: 500_000 }, (_, i) => `"k${i}":0`).join()}}`,
  ];
  for (const page of pages) {
    // `JSON.parse` of such pages took up to 4 s, and 1.3 GiB.
    const { heapUsed } = process.memoryUsage();
    t.throws(() => parseClustersPage(page), { code: 'exhausted' }, page.slice(0, 50));
    const grown = process.memoryUsage().heapUsed - heapUsed;
    t.ok(grown < 100 * 2 ** 20, `${grown} bytes more`);
  }
  t.throws(() => parseStatsPage(`{"stats":[${many('{},')}{}]}`), { code: 'exhausted' });
  t.ok(pageLimits.countMax > 100_000, 'and one of many Groups is read');
});

t.test('hosts and statistics that no Envoy sends', async (t) => {
  const host = (one: unknown) =>
    parseClustersPage(JSON.stringify({ cluster_statuses: [{ name: 'a', host_statuses: [one] }] }));
  const address = { socket_address: { address: '10.0.0.1', port_value: 1 } };
  t.equal(host({ address }).get('a')?.length, 1);
  const wrong = [null, { address, stats: [null] }, { address, stats: 1 }, { address, hostname: {} }];
  const worse = [
    { address, weight: 'x' },
    { address, priority: null },
    { address, hostname: 'x'.repeat(600) },
  ];
  for (const one of [...wrong, ...worse])
    t.throws(() => host(one), { code: 'invalid' }, JSON.stringify(one).slice(0, 60));
  const stat = (one: unknown) => parseStatsPage(JSON.stringify({ stats: [one] }));
  const histograms = [null, { name: 'a' }, { name: 'a', buckets: [null] }];
  for (const one of [{ name: 1 }, { name: 'a', value: '1' }, ...histograms.map((h) => ({ histograms: [h] }))])
    t.throws(() => stat(one), { code: 'invalid' }, JSON.stringify(one));
});

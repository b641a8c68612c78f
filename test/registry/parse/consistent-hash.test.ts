import t from 'tap';
import type { Fault } from '../../../src/registry/parse/fault.ts';
import { Fields } from '../../../src/registry/parse/fields.ts';
import { parseConsistentHash } from '../../../src/registry/parse/istio/consistent-hash.ts';

function parse(raw: Record<string, unknown>) {
  const faults: Fault[] = [];
  return { hash: parseConsistentHash(new Fields(raw, faults)), faults: faults.map(({ message }) => message) };
}

t.test('what requests stick by, and the table', async (t) => {
  t.strictSame(parse({ httpHeaderName: 'x-user' }).hash, {
    by: { kind: 'header', name: 'x-user' },
    table: { kind: 'ring', size: 1024 },
  });
  t.strictSame(parse({ httpCookie: { name: 'u', ttl: '0s' }, maglev: {} }).hash, {
    by: { kind: 'cookie', name: 'u', ttlMs: 0 },
    table: { kind: 'maglev', size: 65_537 },
  });
  t.strictSame(parse({ useSourceIp: true, minimumRingSize: 7 }).hash?.table, { kind: 'ring', size: 7 });
  t.strictSame(parse({ httpQueryParameterName: 'u', useSourceIp: false }).faults, []);
});

t.test('what Envoy would refuse, or cannot be meant', async (t) => {
  t.match(parse({}).faults, [/one of httpHeaderName/]);
  t.match(parse({ httpHeaderName: 'a', useSourceIp: true }).faults, [/one of/]);
  t.match(parse({ useSourceIp: true, maglev: { tableSize: 1000 } }).faults, [/1000 is not a prime/]);
  t.match(parse({ useSourceIp: true, maglev: {}, ringHash: {} }).faults, [/excludes `ringHash`/]);
  t.match(parse({ httpCookie: {} }).faults, [/cookie's name/]);
});

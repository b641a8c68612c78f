import fc from 'fast-check';
import t from 'tap';
import { decodeJson, encodeJson, encodeResource } from '../../../src/xds/codec/codec.ts';
import { finish } from '../../../src/xds/slices.ts';
import { NameSets } from '../../../src/xds/state/name-sets.ts';
import {
  buildDeltaResponse,
  buildSotwResponse,
  eachName,
  parseDeltaRequest,
  parseSotwRequest,
} from '../../../src/xds/wire/discovery-messages.ts';
import { field } from '../../../src/xds/wire/varint.ts';

const discovery = 'envoy.service.discovery.v3';
const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const request = (type: string, json: object) => Buffer.from(encodeJson(`${discovery}.${type}`, json));

t.test('a SotW request is read as the codec reads it', async (t) => {
  const json = {
    version_info: 'v',
    node: { id: 'n' },
    resource_names: ['a', 'b'],
    type_url: typeUrl,
    response_nonce: '7',
    error_detail: { code: 3, message: 'no', details: [] },
  };
  const read = parseSotwRequest(request('DiscoveryRequest', json));
  t.match(read, { typeUrl, nonce: '7', error: 'no' });
  t.same([...eachName(read.names)], ['a', 'b']);
  t.same(decodeJson('envoy.config.core.v3.Node', read.node ?? Buffer.alloc(0)), { id: 'n' });
  t.match(parseSotwRequest(request('DiscoveryRequest', { error_detail: { code: 3 } })), {
    error: 'status 3',
  });
});

t.test('repeated names are recognized by their bytes, whatever else changes', async (t) => {
  const names = fc.array(fc.string({ maxLength: 8 }), { maxLength: 5 });
  fc.assert(
    fc.property(names, names, names, (before, other, now) => {
      const last = parseSotwRequest(request('DiscoveryRequest', { resource_names: before })).names;
      const decoy = parseSotwRequest(request('DiscoveryRequest', { resource_names: other })).names;
      const read = parseSotwRequest(
        request('DiscoveryRequest', { version_info: 'x', resource_names: now, type_url: typeUrl }),
        [decoy, last],
      );
      const same = (a: readonly string[]) => JSON.stringify(a) === JSON.stringify(now);
      if (JSON.stringify([...eachName(read.names)]) !== JSON.stringify(now) || read.typeUrl !== typeUrl)
        return false;
      if (now.length === 0) return true;
      return same(before) ? read.names === (same(other) ? decoy : last) : read.names !== last;
    }),
  );
  t.pass();
});

t.test('a Delta request is read as the codec reads it', async (t) => {
  const json = {
    node: { id: 'n' },
    type_url: typeUrl,
    resource_names_subscribe: ['a', '*'],
    resource_names_unsubscribe: ['b'],
    initial_resource_versions: { a: '1', '': '' },
    response_nonce: '7',
    error_detail: { message: 'no' },
  };
  const parsed = parseDeltaRequest(request('DeltaDiscoveryRequest', json));
  t.same([...eachName(parsed.names)], ['a', '*']);
  t.match(parsed, {
    typeUrl,
    nonce: '7',
    error: 'no',
    unsubscribe: ['b'],
    initialVersions: new Map([
      ['a', '1'],
      ['', ''],
    ]),
  });
});

t.test('whatever the bytes are, they are read or refused', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (const parse of [parseSotwRequest, parseDeltaRequest])
        try {
          parse(Buffer.from(bytes));
        } catch (error) {
          if ((error as { code?: string }).code !== 'invalid') return false;
        }
      return true;
    }),
  );
  t.pass();
});

t.test('responses are what the codec would have written', async (t) => {
  const cluster = { '@type': typeUrl, name: 'a', alt_stat_name: 'x'.repeat(300) };
  const resource = encodeResource(cluster);
  const head = { typeUrl, version: 'v', nonce: 'n' };
  t.same(decodeJson(`${discovery}.DiscoveryResponse`, buildSotwResponse(head, [resource])), {
    version_info: 'v',
    resources: [cluster],
    type_url: typeUrl,
    nonce: 'n',
  });
  t.same(
    decodeJson(`${discovery}.DeltaDiscoveryResponse`, finish(buildDeltaResponse(head, [resource], ['b']))),
    {
      system_version_info: 'v',
      resources: [{ version: resource.version, resource: cluster, name: 'a' }],
      type_url: typeUrl,
      nonce: 'n',
      removed_resources: ['b'],
    },
  );
});

t.test('equal sets of names are one object, whatever their history', async (t) => {
  const sets = new NameSets();
  const names = fc.array(fc.string({ maxLength: 3 }), { maxLength: 6 });
  fc.assert(
    fc.property(names, names, (some, more) => {
      const direct = sets.intern(new Set([...more, ...some]));
      const grown = finish(sets.change(sets.intern(new Set(some)), sets.intern(new Set(more)), []));
      const shrunk = finish(
        sets.change(sets.intern(new Set([...some, ...more, 'z-z'])), sets.empty, ['z-z']),
      );
      return direct === grown && grown === shrunk && direct.names.size === new Set([...some, ...more]).size;
    }),
  );
  t.pass();
});

/**
 * A request in which each name stands alone between two others of the request's fields: legal, as they may
 * come in any order.
 */
function interleaved(names: number, field: number): Buffer {
  // The node of State of the World, the type URL of Delta.
  const other = Buffer.from([(2 << 3) | 2, 1, 0x78]);
  const name = Buffer.from([(field << 3) | 2, 1, 0x61]);
  return Buffer.concat(Array.from({ length: names }, () => [other, name]).flat());
}

/** The least processor time of some runs, in milliseconds: what else the machine does is not counted. */
function least(run: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

t.test('names between other fields are read in a time that grows with their number', async (t) => {
  for (const parse of [parseSotwRequest, parseDeltaRequest]) {
    t.equal([...eachName(parse(interleaved(1_000, 3)).names)].length, 1_000);
    const [few, many] = [interleaved(10_000, 3), interleaved(160_000, 3)];
    parse(few);
    // 16 times the names: 16 times the time, or 256 times where each name copies those before it.
    const [long, short] = [least(() => parse(many)), least(() => parse(few))];
    t.ok(long < 100 * short, `${long} ms, ${short} ms`);
  }
});

t.test('a type URL or a nonce of any length is refused before it is decoded', async (t) => {
  for (const [field, name] of [
    [4, 'type_url'],
    [5, 'response_nonce'],
  ] as const) {
    const head = Buffer.from([(field << 3) | 2, 0x80, 0x80, 0x40]);
    const bytes = Buffer.concat([head, Buffer.alloc(2 ** 20, 'u')]);
    t.throws(() => parseSotwRequest(bytes), {
      code: 'invalid',
      message: new RegExp(`^${name} has 1048576 bytes`),
    });
  }
});

t.test('the reason of a NACK is cut, and is one line', async (t) => {
  const message = `first\nsecond \u001b[2J${'x'.repeat(10_000)}`;
  const { error = '' } = parseSotwRequest(
    request('DiscoveryRequest', { error_detail: { code: 3, message } }),
  );
  t.match(error, /^first second \\u\{1b\}\[2Jx+… \(\d+ bytes more\)$/);
  t.ok(error.length < 4_200);
});

t.test('unknown fields are skipped, but not thousands of them', async (t) => {
  const unknown = (count: number) => Buffer.concat(Array<Buffer>(count).fill(Buffer.from([0x78, 1])));
  const typed = (id: number) => field(id, 'type.googleapis.com/envoy.config.cluster.v3.Cluster');
  for (const [parse, id] of [
    [parseSotwRequest, 4],
    [parseDeltaRequest, 2],
  ] as const) {
    t.match(parse(Buffer.concat([unknown(1_000), typed(id)])), { typeUrl: /Cluster$/ });
    t.throws(() => parse(Buffer.concat([unknown(1_001), typed(id)])), {
      code: 'invalid',
      message: /it has more than 1000 unknown fields/,
    });
    t.throws(() => parse(Buffer.alloc(100)), { code: 'invalid', message: /field number 0 is not valid/ });
  }
});

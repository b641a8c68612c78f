import fc from 'fast-check';
import t from 'tap';
import { sharedMessage } from '../../../src/base/shared-message.ts';
import {
  decodeResource,
  type EncodedResource,
  encodeJson,
  encodeResource,
  type ResourceJson,
} from '../../../src/xds/codec/codec.ts';
import {
  bytesOf,
  type Content,
  contentOf,
  joinedContent,
  templateCount,
} from '../../../src/xds/codec/content.ts';
import { finish } from '../../../src/xds/slices.ts';
import { heapUsed } from '../../support/buffered.ts';
import { typeUrl } from '../../support/clients/xds-client.ts';

/** A cluster, long enough for a template, that names itself several times. */
const cluster = (host: string, mib = 1): ResourceJson =>
  ({
    '@type': typeUrl('CDS'),
    name: `instances/${host}:80`,
    type: 'EDS',
    eds_cluster_config: {
      service_name: `instances/${host}:80`,
      eds_config: { ads: {}, resource_api_version: 'V3' },
    },
    connect_timeout: '0.25s',
    alt_stat_name: `${'long '.repeat(400)}${host} ${mib}`,
  }) as ResourceJson;

/** What a codec without templates makes of a cluster. */
function plainBytes(resource: ResourceJson): Buffer {
  const { '@type': _, ...body } = resource as { '@type': string };
  return Buffer.from(encodeJson('envoy.config.cluster.v3.Cluster', body));
}

t.test('whatever is kept is given back byte for byte', async () => {
  const word = fc.constantFrom('', 'abc', 'abcd', 'shop.example', 'a.b-c.d', '\0\xff\0');
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.constantFrom('x'.repeat(90), '\0\xff\0', 'abcd', 'y'.repeat(70_000)),
  );
  const one = fc.record({ word, pieces: fc.array(piece, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (list) => {
      for (const { word, pieces } of [...list, ...list]) {
        const bytes = Buffer.from(pieces.join(word), 'latin1');
        const kept = contentOf(bytes, `x/${word}:80`);
        if (kept.length !== bytes.length || !bytesOf(kept).equals(bytes)) throw new Error('other bytes');
        const target = Buffer.alloc(bytes.length + 2, 7);
        if (kept.writeTo(target, 1) !== bytes.length + 1) throw new Error('another place');
        if (target[0] !== 7 || target.at(-1) !== 7) throw new Error('written beyond its place');
      }
    }),
    { numRuns: 500 },
  );
});

t.test('bytes are joined of parts that are kept elsewhere', async () => {
  const part = fc.record({ before: fc.uint8Array({ maxLength: 9 }), own: fc.uint8Array({ maxLength: 400 }) });
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 9 }),
      fc.uint8Array({ maxLength: 9 }),
      (list, end) => {
        const placed: { at: number; content: Content }[] = [];
        const all: Uint8Array[] = [];
        let at = 0;
        for (const { before, own } of list) {
          all.push(before, own);
          placed.push({ at: at + before.length, content: contentOf(own, 'part') });
          at += before.length + own.length;
        }
        const bytes = Buffer.concat([...all, end]);
        const kept = joinedContent(bytes, 'whole', placed);
        if (kept.length !== bytes.length || !bytesOf(kept).equals(bytes)) throw new Error('other bytes');
        const target = Buffer.alloc(bytes.length);
        const past = kept.inSlices === undefined ? 0 : finish(kept.inSlices(target, 0));
        if (past !== bytes.length || !target.equals(bytes)) throw new Error('other bytes in slices');
      },
    ),
  );
});

t.test('contents that differ in the host alone are kept once, from the second on', async (t) => {
  const count = 3_000;
  const length = encodeResource(cluster('svc-1000.shop.example')).content.length;
  const keep = async (make: (i: number) => ResourceJson) => {
    const before = await heapUsed();
    const kept = Array.from({ length: count }, (_, i) => encodeResource(make(i)));
    const each = ((await heapUsed()) - before) / count;
    t.equal(kept.length, count);
    for (const [i, one] of kept.entries()) if (i % 500 === 0) t.strictSame(one.bytes, plainBytes(make(i)));
    return each;
  };
  const templates = templateCount();
  const each = await keep((i) => cluster(`svc-${1000 + i}.shop.example`));
  t.ok(templateCount() - templates <= 2, `${templateCount() - templates} templates`);
  t.ok(each < 900, `${Math.round(each)} bytes of heap for each of ${length}`);
  // The control: each has something of its own.
  const own = await keep((i) => cluster(`svc-${1000 + i}.shop.example`, 1_000_000 + i));
  t.ok(own > each + 0.8 * length, `${Math.round(own)} bytes of heap where each has its own`);
});

t.test('a template goes with the last content of it', async (t) => {
  const before = templateCount();
  let kept: EncodedResource[] | undefined = ['a-host.example', 'b-host.example', 'c-host.example'].map(
    (host) => encodeResource(cluster(host, 77)),
  );
  t.equal(templateCount(), before + 1);
  t.equal(kept.length, 3);
  kept = undefined;
  for (let round = 0; round < 20 && templateCount() > before; round += 1) await heapUsed();
  t.equal(templateCount(), before);
});

t.test('a resource of shared messages keeps none of their bytes again', async (t) => {
  const host = (i: number) =>
    sharedMessage({
      name: `h${i}.example`,
      domains: [`h${i}.example`],
      routes: [
        {
          match: { prefix: '/' },
          direct_response: { status: 200, body: { inline_string: `${i} `.repeat(300) } },
        },
      ],
    });
  const virtual_hosts = Array.from({ length: 1_000 }, (_, i) => host(i));
  const table = (name: string) => ({ '@type': typeUrl('RDS'), name, virtual_hosts }) as ResourceJson;
  const first = encodeResource(table('first'));
  const before = (await heapUsed()) + process.memoryUsage().arrayBuffers;
  const second = encodeResource(table('second'));
  const more = (await heapUsed()) + process.memoryUsage().arrayBuffers - before;
  t.ok(more < 0.2 * second.content.length, `${more} bytes more for ${second.content.length}`);
  t.ok(second.bytes.includes(first.bytes.subarray(first.bytes.length - 1_000)), 'they are in both');
  t.strictSame(
    (decodeResource(second) as unknown as { virtual_hosts: unknown }).virtual_hosts,
    virtual_hosts,
  );
});

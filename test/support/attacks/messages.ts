import { gzipSync } from 'node:zlib';
import type { Random } from '../../../src/base/random.ts';
import { pushOrder } from '../../../src/xds/resource-types.ts';
import { field, fieldHead, numberField } from '../../../src/xds/wire/varint.ts';
import { framed, nodeOf } from './call.ts';

/** Bytes to be written on a stream, and the variant of the protocol that they are of. */
export interface RandomMessage {
  readonly variant: 'delta' | 'sotw';
  readonly bytes: Buffer;
  /** What it was made as, for the counts. */
  readonly kind: Kind;
}

const kinds = ['legal', 'mutated', 'random bytes', 'illegal protobuf', 'illegal frame'] as const;
export type Kind = (typeof kinds)[number];

/** How many of a hundred are legal, mutated, … */
const shares: readonly number[] = [55, 25, 5, 10, 5];
const kindOf = kinds.flatMap((kind, i) => Array<Kind>(shares[i] ?? 0).fill(kind));

/**
 * Field numbers of DiscoveryRequest and DeltaDiscoveryRequest (envoy/service/discovery/v3/discovery.proto).
 */
const sotw = { version: 1, node: 2, names: 3, typeUrl: 4, nonce: 5, error: 6 } as const;
const delta = {
  ...{ node: 1, typeUrl: 2, subscribe: 3, unsubscribe: 4, initial: 5, nonce: 6, error: 7 },
} as const;

const scopeOf = (namespace: string) => ({
  ...{ role: 'sidecar', idc: 'sh-a', namespace },
  outbound: { address: '127.0.0.1', port: 15001 },
});
const nodes = Array.from({ length: 24 }, (_, i) => nodeOf(`fuzz-${i}`, scopeOf(`ns-${i % 6}`)));
const badNodes = [
  Buffer.alloc(0),
  Buffer.from([255]),
  field(1, ''),
  field(1, 'x'),
  field(1, '\u0000\u001b[31m'),
];
const typeUrls = [...pushOrder.map(({ url }) => url), 'type.googleapis.com/google.protobuf.Any', '', 'x'];
const words = ['*', '', 'a', 'instances/echo.shop:80', '__proto__', 'constructor', '\u202e', 'x'.repeat(300)];

/** Messages of a seed, one after another: the same seed gives the same bytes, whatever the server says. */
export function createMessages(random: Random): () => RandomMessage {
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const chance = (part: number) => random() < part;
  const name = () => (chance(0.5) ? pick(words) : `${pick(words)}${below(1_000)}`.slice(0, 200));
  const names = () => Array.from({ length: below(chance(0.02) ? 300 : 6) }, name);
  // Nonces are numbers in base 36, of the fuzz's server from 1 on: some of those that are guessed are true.
  const nonce = () => (chance(0.3) ? '' : below(5_000).toString(36));

  function legal(variant: RandomMessage['variant'], first: boolean): Buffer {
    const typeUrl = chance(0.97) ? pick(typeUrls.slice(0, pushOrder.length)) : pick(typeUrls);
    const parts: Buffer[] = [];
    const ids = variant === 'delta' ? delta : sotw;
    if (first || chance(0.1)) parts.push(field(ids.node, chance(0.9) ? pick(nodes) : pick(badNodes)));
    parts.push(field(ids.typeUrl, typeUrl), field(ids.nonce, nonce()));
    if (variant === 'sotw') parts.push(...names().map((one) => field(sotw.names, one)));
    else {
      parts.push(...names().map((one) => field(delta.subscribe, one)));
      if (chance(0.4)) parts.push(...names().map((one) => field(delta.unsubscribe, one)));
      if (chance(0.2))
        for (const one of names())
          parts.push(field(delta.initial, Buffer.concat([field(1, one), field(2, `${below(99)}`)])));
    }
    if (chance(0.2)) {
      const words = `${name()} is refused: ${name()}`;
      parts.push(field(ids.error, Buffer.concat([numberField(1, below(17)), field(2, words)])));
    }
    // Protobuf lets fields come in any order.
    return Buffer.concat(chance(0.5) ? parts : parts.sort(() => random() - 0.5));
  }

  function mutated(of: Buffer): Buffer {
    let bytes = Buffer.from(of);
    for (let times = 1 + below(4); times > 0 && bytes.length > 0; times -= 1) {
      const at = below(bytes.length);
      const length = 1 + below(16);
      switch (below(5)) {
        case 0:
          bytes[at] = below(256);
          break;
        case 1:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
          break;
        case 2:
          bytes = Buffer.concat([bytes.subarray(0, at), noise(length), bytes.subarray(at)]);
          break;
        case 3:
          bytes = Buffer.concat([bytes, bytes.subarray(at)]);
          break;
        default:
          bytes = bytes.subarray(0, at);
      }
    }
    return bytes;
  }

  const noise = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));

  function illegal(): Buffer {
    const deep = (depth: number): Buffer => {
      let inner = field(1, 'x');
      for (let i = 0; i < depth; i += 1) inner = field(5, field(1, inner));
      return inner;
    };
    return pick([
      () => Buffer.from([0x0b]), // a group that does not end
      () => Buffer.from([26, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), // no varint
      () => fieldHead(3, 2 ** 30), // longer than the message
      () => Buffer.from([0]), // field 0
      () => Buffer.from([0xfa, 0xff, 0xff, 0xff, 0x0f, 0]), // the largest field number
      () => field(1, deep(20 + below(180))),
      () => field(2, Buffer.from([0xc3, 0x28, 0xff])), // no UTF-8
      () => Buffer.concat([field(4, typeUrls[0] ?? ''), Buffer.from([0x1d])]), // a fixed32 that is cut
    ])();
  }

  function illegalFrame(message: Buffer): Buffer {
    return pick([
      () => framed(message, 'gzip'), // which it is not
      () => framed(gzipSync(message), 'gzip'),
      () => Buffer.from([2, 0, 0, 0, 0]), // a flag that does not exist
      () => Buffer.concat([Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), message]),
      () => framed(message).subarray(0, 3 + below(message.length + 2)), // cut: what follows is read as its rest
    ])();
  }

  return () => {
    const variant = chance(0.6) ? 'delta' : 'sotw';
    const first = chance(0.5);
    const kind = pick(kindOf);
    const message = legal(variant, first);
    if (kind === 'illegal frame') return { variant, kind, bytes: illegalFrame(message) };
    const made = {
      legal: () => message,
      mutated: () => mutated(message),
      'random bytes': () => noise(below(64)),
    };
    return { variant, kind, bytes: framed(kind === 'illegal protobuf' ? illegal() : made[kind]()) };
  };
}

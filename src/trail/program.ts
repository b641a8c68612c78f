import {
  guardedListeners,
  outcomeHeader,
  policyIdcs,
  refusalGrpcStatus,
  refusalStatus,
  refusalText,
  type TrailOutcome,
  trailBytesMax,
  trailCounters,
  trailHeader,
  unknownIdc,
  visitedHeader,
} from '../model/trail.ts';
import type { FilterPolicy } from './canonical.ts';

/**
 * The text of `wasm/assembly/policy.ts` for a canonical policy: all that the filter compares or sends, as
 * constants, so that the compiler drops other listeners' branches and nothing is concatenated at run time.
 */
export function policySource(policy: FilterPolicy): string {
  const idcs = policyIdcs(policy);
  const counters = trailCounters(policy);
  const lines = [
    '// Written by src/trail/program.ts, anew for each policy that is compiled; this one is an example for editors.',
    '// biome-ignore-all format: generated',
    '',
    ...integer('LISTENER', guardedListeners.indexOf(policy.listener), policy.listener),
    ...boolean('ENFORCE', policy.enforce, 'off only as the negative control of drills'),
    ...integer('HOP_LIMIT', policy.hopLimit, 'crossings'),
    ...integer('TRAIL_BYTES_MAX', trailBytesMax),
    ...integer('GRPC_STATUS', refusalGrpcStatus),
    '',
    '// IDCs of the mesh, sorted; each as one byte of length and its characters.',
    ...integer('IDC_COUNT', idcs.length),
    ...integer('OWN_INDEX', idcs.indexOf(policy.idc)),
    ...data('IDC_NAMES', packed(idcs), idcs.join(' ')),
    '',
    ...text('OWN', policy.idc),
    ...text('UNKNOWN', unknownIdc),
    ...text('TRAIL_KEY', trailHeader),
    ...text('VISITED_KEY', visitedHeader),
    ...text('TRAIL_PROPERTY', ['request', 'headers', trailHeader].join('\0')),
    '',
    '// Metrics, in the order in which trail.ts counts them; packed like IDC_NAMES.',
    ...integer('COUNTER_COUNT', counters.length),
    ...data('COUNTER_NAMES', packed(counters), counters[0]),
    '',
    ...refusal('LOOP', policy, 'loop'),
    ...refusal('HOPS', policy, 'hop-limit'),
    ...refusal('MALFORMED', policy, 'malformed'),
  ];
  return `${lines.join('\n')}\n`;
}

function refusal(name: string, policy: FilterPolicy, outcome: TrailOutcome): readonly string[] {
  return [
    ...integer(`${name}_STATUS`, refusalStatus(policy.listener, outcome)),
    ...data(`${name}_HEADERS`, headerPairs(outcomeHeader, outcome), `${outcomeHeader}: ${outcome}`, true),
    ...text(`${name}_BODY`, refusalText(policy, outcome)),
  ];
}

function integer(name: string, value: number, comment?: string): readonly string[] {
  return [`export const ${name}: u32 = ${value};${comment === undefined ? '' : ` // ${comment}`}`];
}

function boolean(name: string, value: boolean, comment: string): readonly string[] {
  return [`export const ${name}: bool = ${value}; // ${comment}`];
}

function text(name: string, value: string): readonly string[] {
  return data(name, Buffer.from(value, 'latin1'), JSON.stringify(value), true);
}

function data(
  name: string,
  bytes: Uint8Array,
  comment: string | undefined,
  sized = false,
): readonly string[] {
  return [
    `export const ${name}: usize = memory.data<u8>([${bytes.join(', ')}]); // ${comment}`,
    ...(sized ? integer(`${name}_LENGTH`, bytes.length) : []),
  ];
}

function packed(names: readonly string[]): Uint8Array {
  return Buffer.concat(names.flatMap((name) => [Uint8Array.of(name.length), Buffer.from(name, 'latin1')]));
}

/**
 * One header as the proxy-wasm ABI serializes header maps: count, sizes, then key and value, each ended by a
 * NUL.
 */
function headerPairs(key: string, value: string): Uint8Array {
  const sizes = new Uint32Array([1, key.length, value.length]);
  return Buffer.concat([new Uint8Array(sizes.buffer), Buffer.from(`${key}\0${value}\0`, 'latin1')]);
}

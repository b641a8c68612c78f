// The trail itself: bytes in, what they say out. Knows the policy, not the host. The model is src/model/trail.ts.
import { IDC_COUNT, IDC_NAMES, OWN_INDEX } from './policy';

const COMMA: u32 = 0x2c;
const DASH: u32 = 0x2d;
const NAME_BYTES_MAX: usize = 32;

/** Index of an IDC that the policy does not name. */
export const UNKNOWN_INDEX: u32 = IDC_COUNT;

// What the last `scan` found; the language returns one value only.
/** How many names. */
export let names: u32 = 0;
/** Index of the last name, in IDC_NAMES. */
export let last: u32 = UNKNOWN_INDEX;
/** How often the own name. */
export let own: u32 = 0;
// One bit for each IDC in the trail, by index; meaningless once `strangers`.
let visited: u64 = 0;
let strangers: bool = false;

// At most the names of one trail and the own one, with their commas.
const SET: usize = memory.data(512 + 64, 8);

/** Reads a trail of at least one byte; answers whether it is well formed, as parseTrail of the model does. */
export function scan(from: usize, to: usize): bool {
  names = 0;
  own = 0;
  visited = 0;
  strangers = false;
  let start = from;
  for (let at = from; at < to; at++) {
    const byte: u32 = load<u8>(at);
    if (byte === COMMA) {
      if (!take(start, at)) return false;
      start = at + 1;
    } else if (!isNameByte(byte)) return false;
  }
  return take(start, to);
}

function isNameByte(byte: u32): bool {
  // Unsigned: what lies below wraps to a large number.
  return byte - 0x61 < 26 || byte - 0x30 < 10 || byte === DASH;
}

/** Takes the name at [start, end), of name bytes only, into what is found; false when it is none. */
function take(start: usize, end: usize): bool {
  const length = end - start;
  if (length - 1 >= NAME_BYTES_MAX) return false;
  if (<u32>load<u8>(start) === DASH || <u32>load<u8>(end - 1) === DASH) return false;
  names++;
  last = indexOf(start, length);
  if (last === UNKNOWN_INDEX) strangers = true;
  else visited |= (<u64>1) << last;
  if (last === OWN_INDEX) own++;
  return true;
}

function indexOf(start: usize, length: usize): u32 {
  let name: usize = IDC_NAMES;
  for (let index: u32 = 0; index < IDC_COUNT; index++) {
    const nameLength: usize = load<u8>(name++);
    if (nameLength === length && same(start, name, length)) return index;
    name += nameLength;
  }
  return UNKNOWN_INDEX;
}

function same(left: usize, right: usize, length: usize): bool {
  for (let at: usize = 0; at < length; at++) {
    if (load<u8>(left + at) !== load<u8>(right + at)) return false;
  }
  return true;
}

/** Whether the trail has IDCs that the policy does not name: their set has no name either. */
export function hasStrangers(): bool {
  return strangers;
}

/** Where `writeVisited` writes. */
export function visitedStart(): usize {
  return SET;
}

/** Writes the IDCs of the trail and the own one, sorted, joined by commas; answers the length. */
export function writeVisited(): u32 {
  const set = visited | ((<u64>1) << OWN_INDEX);
  let name: usize = IDC_NAMES;
  let to = SET;
  for (let index: u32 = 0; index < IDC_COUNT; index++) {
    const length: usize = load<u8>(name++);
    if ((set >> index) & 1) {
      if (to !== SET) store<u8>(to++, COMMA);
      for (let at: usize = 0; at < length; at++) store<u8>(to++, load<u8>(name + at));
    }
    name += length;
  }
  return <u32>(to - SET);
}

// The reference for the trail filter: reads the trail, refuses the own name and too many
// names, and appends the own name. No metrics, no set for the routes, no strict reading. Configured by text:
// `IDC;CROSSINGS`.
import {
  proxy_get_buffer_bytes,
  proxy_get_property,
  proxy_replace_header_map_value,
  proxy_send_local_response,
} from './env';

// More than the 60 KiB of headers that Envoy takes, and the own name.
const ARENA_BYTES: usize = 98304;
const ARENA: usize = memory.data(98304, 16);
const VALUE: usize = memory.data(4, 4);
const SIZE: usize = memory.data(4, 4);
const OWN: usize = memory.data(64, 16);
// "x-isthmus-trail", also the end of "request\0headers\0x-isthmus-trail".
const PROPERTY: usize = memory.data<u8>([
  114, 101, 113, 117, 101, 115, 116, 0, 104, 101, 97, 100, 101, 114, 115, 0, 120, 45, 105, 115, 116, 104, 109,
  117, 115, 45, 116, 114, 97, 105, 108,
]);
const PROPERTY_LENGTH: usize = 31;
const KEY: usize = PROPERTY + 16;
const KEY_LENGTH: usize = 15;

const CONFIGURATION: u32 = 7;
const REQUEST_HEADERS: u32 = 0;
const COMMA: u32 = 0x2c;
const SEMICOLON: u32 = 0x3b;
const BLANK: u32 = 0x20;

let top: usize = 0;
let ownLength: usize = 0;
let crossingsMax: u32 = 0;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  const start = top;
  const end = (start + size + 7) & ~7;
  if (end > ARENA_BYTES) return 0;
  top = end;
  return ARENA + start;
}

export function proxy_on_configure(_root: u32, size: u32): u32 {
  top = 0;
  if (proxy_get_buffer_bytes(CONFIGURATION, 0, size, VALUE, SIZE) !== 0) return 0;
  const start = load<u32>(VALUE);
  const end = start + load<u32>(SIZE);
  let at: usize = start;
  while (at < end && <u32>load<u8>(at) !== SEMICOLON) at++;
  ownLength = at - start;
  if (ownLength === 0 || ownLength > 64) return 0;
  memory.copy(OWN, start, ownLength);
  crossingsMax = load<u8>(at + 1) - 0x30;
  return 1;
}

export function proxy_on_request_headers(_context: u32, _headers: u32, _endOfStream: u32): u32 {
  top = 0;
  const status = proxy_get_property(PROPERTY, PROPERTY_LENGTH, VALUE, SIZE);
  if (status === 1) {
    proxy_replace_header_map_value(REQUEST_HEADERS, KEY, KEY_LENGTH, OWN, ownLength);
    return 0;
  }
  if (status !== 0) return refuse(400);
  const start = load<u32>(VALUE);
  const end = start + load<u32>(SIZE);
  let hops: u32 = 0;
  let from = start;
  for (let at = start; ; at++) {
    if (at !== end && <u32>load<u8>(at) !== COMMA) continue;
    while (from < at && <u32>load<u8>(from) === BLANK) from++;
    let to = at;
    while (to > from && <u32>load<u8>(to - 1) === BLANK) to--;
    if (to > from) {
      hops++;
      if (to - from === ownLength && memory.compare(from, OWN, ownLength) === 0) return refuse(508);
    }
    if (at === end) break;
    from = at + 1;
  }
  if (hops > crossingsMax) return refuse(400);
  // In place: the value lies at the start of the arena, and nothing follows it.
  let to = end;
  if (to !== start) store<u8>(to++, COMMA);
  memory.copy(to, OWN, ownLength);
  proxy_replace_header_map_value(REQUEST_HEADERS, KEY, KEY_LENGTH, start, to + ownLength - start);
  return 0;
}

function refuse(status: u32): u32 {
  proxy_send_local_response(status, 0, 0, 0, 0, 0, 0, -1);
  return 1;
}

// The host's calls in the filter's words, and the only memory there is: static, so it can neither leak nor grow.
import {
  proxy_define_metric,
  proxy_get_header_map_value,
  proxy_get_property,
  proxy_increment_metric,
  proxy_replace_header_map_value,
  proxy_send_local_response,
} from './env';
import {
  COUNTER_COUNT,
  COUNTER_NAMES,
  GRPC_STATUS,
  TRAIL_BYTES_MAX,
  TRAIL_KEY,
  TRAIL_KEY_LENGTH,
  TRAIL_PROPERTY,
  TRAIL_PROPERTY_LENGTH,
} from './policy';

/** Answers of `proxy_on_request_headers`. */
export const CONTINUE: u32 = 0;
export const STOP: u32 = 1;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const REQUEST_HEADERS: u32 = 0;
const COUNTER: u32 = 0;

// The value of the trail lies at TRAIL, with room behind it for `,` and the own name (IDC names have at most 32 bytes).
const TRAIL: usize = memory.data(512 + 64, 8);
const VALUE: usize = memory.data(4, 4);
const SIZE: usize = memory.data(4, 4);
// One id for each counter: three for each of at most 64 IDCs and the unknown ones, and one.
const COUNTER_IDS: usize = memory.data(4 * (3 * 65 + 1), 4);

/**
 * Where the host may put `size` bytes for the filter: one value at a time, and none that is longer than a trail.
 * 0 refuses: the host then answers the pending call with an error, which reads as `present, but too long`.
 */
export function allocate(size: usize): usize {
  return size <= TRAIL_BYTES_MAX ? TRAIL : 0;
}

/** Whether the request carries a trail header at all. Costs less than reading it as `readTrail` does. */
export function hasTrail(): bool {
  return proxy_get_header_map_value(REQUEST_HEADERS, TRAIL_KEY, TRAIL_KEY_LENGTH, VALUE, SIZE) !== NOT_FOUND;
}

/**
 * Reads all lines of the trail header, joined by commas; the header map call would give the first line alone,
 * and a loop written into the second would pass. Answers the length; 0 when absent, empty or too long.
 */
export function readTrail(): u32 {
  if (proxy_get_property(TRAIL_PROPERTY, TRAIL_PROPERTY_LENGTH, VALUE, SIZE) !== OK) return 0;
  return load<u32>(SIZE);
}

/** Where `readTrail` put the value. */
export function trailStart(): usize {
  return TRAIL;
}

/** Sets a request header, whatever lines of it there were. Answers false when the host did not. */
export function setHeader(key: usize, keyLength: u32, value: usize, valueLength: u32): bool {
  return proxy_replace_header_map_value(REQUEST_HEADERS, key, keyLength, value, valueLength) === OK;
}

/** Answers the request here and now; `headers` are serialized pairs. For a gRPC request the host makes it a gRPC status. */
export function answer(status: u32, headers: usize, headersLength: u32, body: usize, bodyLength: u32): u32 {
  proxy_send_local_response(status, 0, 0, body, bodyLength, headers, headersLength, GRPC_STATUS);
  return STOP;
}

/** Defines the policy's metrics. One that the host refuses keeps the id 0, which no metric has: counting it does nothing. */
export function defineCounters(): void {
  let name: usize = COUNTER_NAMES;
  for (let index: u32 = 0; index < COUNTER_COUNT; index++) {
    const length: usize = load<u8>(name);
    proxy_define_metric(COUNTER, name + 1, length, COUNTER_IDS + 4 * index);
    name += 1 + length;
  }
}

/** Adds one to the counter at this place of COUNTER_NAMES. */
export function count(index: u32): void {
  proxy_increment_metric(load<u32>(COUNTER_IDS + 4 * index), 1);
}

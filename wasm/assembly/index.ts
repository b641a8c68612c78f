// The filter: what happens to a request's trail at the listener that it was compiled for. Rules: docs/trail.md.
// Exports are kept to what Envoy cannot do without: it calls each further one for each request.
import {
  allocate,
  answer,
  CONTINUE,
  count,
  defineCounters,
  hasTrail,
  readTrail,
  setHeader,
  trailStart,
} from './host';
import {
  ENFORCE,
  HOP_LIMIT,
  HOPS_BODY,
  HOPS_BODY_LENGTH,
  HOPS_HEADERS,
  HOPS_HEADERS_LENGTH,
  HOPS_STATUS,
  IDC_COUNT,
  LISTENER,
  LOOP_BODY,
  LOOP_BODY_LENGTH,
  LOOP_HEADERS,
  LOOP_HEADERS_LENGTH,
  LOOP_STATUS,
  MALFORMED_BODY,
  MALFORMED_BODY_LENGTH,
  MALFORMED_HEADERS,
  MALFORMED_HEADERS_LENGTH,
  MALFORMED_STATUS,
  OWN,
  OWN_INDEX,
  OWN_LENGTH,
  TRAIL_BYTES_MAX,
  TRAIL_KEY,
  TRAIL_KEY_LENGTH,
  UNKNOWN,
  UNKNOWN_LENGTH,
  VISITED_KEY,
  VISITED_KEY_LENGTH,
} from './policy';
import { hasStrangers, last, names, own, scan, visitedStart, writeVisited } from './trail';

// In the order of guardedListeners in src/model/trail.ts.
const INGRESS_PEER: u32 = 1;
const EGRESS_INGRESS: u32 = 3;

// Places in COUNTER_NAMES, as trailCounters of the model lists them.
const SPOOFED: u32 = 0;
const HOPS: u32 = 0;
const LOOPS: u32 = 1;
const OVER_LIMIT: u32 = 2;
const COUNTERS_BY_PEER: u32 = 3;
const MALFORMED: u32 = LISTENER === INGRESS_PEER ? COUNTERS_BY_PEER * (IDC_COUNT + 1) : 2;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

export function proxy_on_configure(_root: u32, _size: u32): u32 {
  defineCounters();
  return 1;
}

export function proxy_on_request_headers(_context: u32, _headers: u32, _endOfStream: u32): u32 {
  if (LISTENER === INGRESS_PEER) return ENFORCE ? enter() : follow();
  if (LISTENER === EGRESS_INGRESS) return ENFORCE ? leave() : keep();
  return begin();
}

/** From a client or a sidecar: nothing that it says of a trail counts. */
function begin(): u32 {
  if (hasTrail()) count(SPOOFED);
  return pass(OWN, OWN_LENGTH, OWN, OWN_LENGTH);
}

/** From another IDC: may it come in? Each name is an IDC that it has left, so names are crossings. */
function enter(): u32 {
  const length = readTrail();
  const start = trailStart();
  if (length === 0 || !scan(start, start + length)) return refuseMalformed();
  if (own > 0) return refuseLoop(LOOPS + COUNTERS_BY_PEER * last);
  if (names > HOP_LIMIT) return refuseOverLimit(OVER_LIMIT + COUNTERS_BY_PEER * last);
  count(HOPS + COUNTERS_BY_PEER * last);
  return passVisited(start, append(start, length));
}

/** Writes the own name behind the trail, where there is room for it; answers the new length. */
function append(start: usize, length: u32): u32 {
  let end = start + length;
  store<u8>(end++, 0x2c);
  for (let at: u32 = 0; at < OWN_LENGTH; at++) store<u8>(end++, load<u8>(OWN + at));
  return <u32>(end - start);
}

/** From the own ingress gateway: did it mark the request, and may that cross once more? */
function leave(): u32 {
  const length = readTrail();
  const start = trailStart();
  if (length === 0 || !scan(start, start + length)) return refuseMalformed();
  if (own !== 1 || last !== OWN_INDEX) return refuseLoop(LOOPS - 1);
  if (names > HOP_LIMIT) return refuseOverLimit(OVER_LIMIT - 1);
  return passVisited(start, length);
}

/** As `enter`, but refuses nothing: the negative control of drills. */
function follow(): u32 {
  const length = readTrail();
  const start = trailStart();
  if (length === 0 || !scan(start, start + length)) {
    count(HOPS + COUNTERS_BY_PEER * IDC_COUNT);
    return pass(OWN, OWN_LENGTH, OWN, OWN_LENGTH);
  }
  count(HOPS + COUNTERS_BY_PEER * last);
  return passVisited(start, length + 1 + OWN_LENGTH <= TRAIL_BYTES_MAX ? append(start, length) : length);
}

/** As `leave`, but refuses nothing. */
function keep(): u32 {
  const length = readTrail();
  const start = trailStart();
  if (length === 0 || !scan(start, start + length)) return pass(OWN, OWN_LENGTH, OWN, OWN_LENGTH);
  return passVisited(start, length);
}

function passVisited(trail: usize, trailLength: u32): u32 {
  if (hasStrangers()) return pass(trail, trailLength, UNKNOWN, UNKNOWN_LENGTH);
  return pass(trail, trailLength, visitedStart(), writeVisited());
}

function pass(trail: usize, trailLength: u32, visited: usize, visitedLength: u32): u32 {
  // The trail that leaves is the one that was read: what is set also replaces a trail that came in several lines.
  if (!setHeader(TRAIL_KEY, TRAIL_KEY_LENGTH, trail, trailLength)) return refuseMalformed();
  if (!setHeader(VISITED_KEY, VISITED_KEY_LENGTH, visited, visitedLength)) return refuseMalformed();
  return CONTINUE;
}

function refuseLoop(counter: u32): u32 {
  count(counter);
  return answer(LOOP_STATUS, LOOP_HEADERS, LOOP_HEADERS_LENGTH, LOOP_BODY, LOOP_BODY_LENGTH);
}

function refuseOverLimit(counter: u32): u32 {
  count(counter);
  return answer(HOPS_STATUS, HOPS_HEADERS, HOPS_HEADERS_LENGTH, HOPS_BODY, HOPS_BODY_LENGTH);
}

/** Also where the host fails the filter: it must not let a request past that it could not mark. */
function refuseMalformed(): u32 {
  if (LISTENER === INGRESS_PEER || LISTENER === EGRESS_INGRESS) count(MALFORMED);
  return answer(
    MALFORMED_STATUS,
    MALFORMED_HEADERS,
    MALFORMED_HEADERS_LENGTH,
    MALFORMED_BODY,
    MALFORMED_BODY_LENGTH,
  );
}

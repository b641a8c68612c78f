// Written by src/trail/program.ts, anew for each policy that is compiled; this one is an example for editors.
// biome-ignore-all format: generated

export const LISTENER: u32 = 1; // ingress-peer
export const ENFORCE: bool = true; // off only as the negative control of drills
export const HOP_LIMIT: u32 = 1; // crossings
export const TRAIL_BYTES_MAX: u32 = 512;
export const GRPC_STATUS: u32 = 14;

// IDCs of the mesh, sorted; each as one byte of length and its characters.
export const IDC_COUNT: u32 = 2;
export const OWN_INDEX: u32 = 1;
export const IDC_NAMES: usize = memory.data<u8>([4, 115, 104, 45, 97, 4, 115, 104, 45, 98]); // sh-a sh-b

export const OWN: usize = memory.data<u8>([115, 104, 45, 98]); // "sh-b"
export const OWN_LENGTH: u32 = 4;
export const UNKNOWN: usize = memory.data<u8>([95, 117, 110, 107, 110, 111, 119, 110]); // "_unknown"
export const UNKNOWN_LENGTH: u32 = 8;
export const TRAIL_KEY: usize = memory.data<u8>([120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 116, 114, 97, 105, 108]); // "x-isthmus-trail"
export const TRAIL_KEY_LENGTH: u32 = 15;
export const VISITED_KEY: usize = memory.data<u8>([120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 118, 105, 115, 105, 116, 101, 100]); // "x-isthmus-visited"
export const VISITED_KEY_LENGTH: u32 = 17;
export const TRAIL_PROPERTY: usize = memory.data<u8>([114, 101, 113, 117, 101, 115, 116, 0, 104, 101, 97, 100, 101, 114, 115, 0, 120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 116, 114, 97, 105, 108]); // "request\u0000headers\u0000x-isthmus-trail"
export const TRAIL_PROPERTY_LENGTH: u32 = 31;

// Metrics, in the order in which trail.ts counts them; packed like IDC_NAMES.
export const COUNTER_COUNT: u32 = 10;
export const COUNTER_NAMES: usize = memory.data<u8>([41, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 97, 46, 104, 111, 112, 115, 50, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 97, 46, 108, 111, 111, 112, 95, 114, 101, 106, 101, 99, 116, 101, 100, 55, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 97, 46, 104, 111, 112, 95, 108, 105, 109, 105, 116, 95, 114, 101, 106, 101, 99, 116, 101, 100, 41, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 98, 46, 104, 111, 112, 115, 50, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 98, 46, 108, 111, 111, 112, 95, 114, 101, 106, 101, 99, 116, 101, 100, 55, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 115, 104, 45, 98, 46, 104, 111, 112, 95, 108, 105, 109, 105, 116, 95, 114, 101, 106, 101, 99, 116, 101, 100, 45, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 95, 117, 110, 107, 110, 111, 119, 110, 46, 104, 111, 112, 115, 54, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 95, 117, 110, 107, 110, 111, 119, 110, 46, 108, 111, 111, 112, 95, 114, 101, 106, 101, 99, 116, 101, 100, 59, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 112, 101, 101, 114, 46, 95, 117, 110, 107, 110, 111, 119, 110, 46, 104, 111, 112, 95, 108, 105, 109, 105, 116, 95, 114, 101, 106, 101, 99, 116, 101, 100, 45, 105, 115, 116, 104, 109, 117, 115, 95, 116, 114, 97, 105, 108, 46, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 46, 109, 97, 108, 102, 111, 114, 109, 101, 100, 95, 114, 101, 106, 101, 99, 116, 101, 100]); // isthmus_trail.ingress-peer.peer.sh-a.hops

export const LOOP_STATUS: u32 = 508;
export const LOOP_HEADERS: usize = memory.data<u8>([1, 0, 0, 0, 17, 0, 0, 0, 4, 0, 0, 0, 120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 111, 117, 116, 99, 111, 109, 101, 0, 108, 111, 111, 112, 0]); // x-isthmus-outcome: loop
export const LOOP_HEADERS_LENGTH: u32 = 35;
export const LOOP_BODY: usize = memory.data<u8>([105, 115, 116, 104, 109, 117, 115, 58, 32, 108, 111, 111, 112, 32, 97, 116, 32, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 32, 111, 102, 32, 115, 104, 45, 98]); // "isthmus: loop at ingress-peer of sh-b"
export const LOOP_BODY_LENGTH: u32 = 37;
export const HOPS_STATUS: u32 = 400;
export const HOPS_HEADERS: usize = memory.data<u8>([1, 0, 0, 0, 17, 0, 0, 0, 9, 0, 0, 0, 120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 111, 117, 116, 99, 111, 109, 101, 0, 104, 111, 112, 45, 108, 105, 109, 105, 116, 0]); // x-isthmus-outcome: hop-limit
export const HOPS_HEADERS_LENGTH: u32 = 40;
export const HOPS_BODY: usize = memory.data<u8>([105, 115, 116, 104, 109, 117, 115, 58, 32, 104, 111, 112, 45, 108, 105, 109, 105, 116, 32, 97, 116, 32, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 32, 111, 102, 32, 115, 104, 45, 98]); // "isthmus: hop-limit at ingress-peer of sh-b"
export const HOPS_BODY_LENGTH: u32 = 42;
export const MALFORMED_STATUS: u32 = 400;
export const MALFORMED_HEADERS: usize = memory.data<u8>([1, 0, 0, 0, 17, 0, 0, 0, 9, 0, 0, 0, 120, 45, 105, 115, 116, 104, 109, 117, 115, 45, 111, 117, 116, 99, 111, 109, 101, 0, 109, 97, 108, 102, 111, 114, 109, 101, 100, 0]); // x-isthmus-outcome: malformed
export const MALFORMED_HEADERS_LENGTH: u32 = 40;
export const MALFORMED_BODY: usize = memory.data<u8>([105, 115, 116, 104, 109, 117, 115, 58, 32, 109, 97, 108, 102, 111, 114, 109, 101, 100, 32, 97, 116, 32, 105, 110, 103, 114, 101, 115, 115, 45, 112, 101, 101, 114, 32, 111, 102, 32, 115, 104, 45, 98]); // "isthmus: malformed at ingress-peer of sh-b"
export const MALFORMED_BODY_LENGTH: u32 = 42;

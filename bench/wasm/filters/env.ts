// What these filters ask of the host; called env because that is the module that they import from (see
// wasm/assembly/env.ts).

export declare function proxy_get_property(path: usize, length: usize, value: usize, size: usize): u32;

export declare function proxy_get_buffer_bytes(
  buffer: u32,
  start: u32,
  length: u32,
  value: usize,
  size: usize,
): u32;

export declare function proxy_replace_header_map_value(
  map: u32,
  key: usize,
  keyLength: usize,
  value: usize,
  valueLength: usize,
): u32;

export declare function proxy_send_local_response(
  status: u32,
  details: usize,
  detailsLength: usize,
  body: usize,
  bodyLength: usize,
  headers: usize,
  headersLength: usize,
  grpcStatus: i32,
): u32;

// What the host offers: proxy-wasm ABI 0.2.1 (github.com/proxy-wasm/spec), as far as the filter needs it.
// The file is called env because the compiler takes the import module's name, `env`, from it. Each call answers a status.

export declare function proxy_get_property(path: usize, length: usize, value: usize, size: usize): u32;

export declare function proxy_get_header_map_value(
  map: u32,
  key: usize,
  keyLength: usize,
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

export declare function proxy_define_metric(type: u32, name: usize, length: usize, id: usize): u32;

export declare function proxy_increment_metric(id: u32, offset: i64): u32;

// A filter that does nothing: the cost of any Wasm filter.

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(_size: usize): usize {
  return 0;
}

export function proxy_on_request_headers(_context: u32, _headers: u32, _endOfStream: u32): u32 {
  return 0;
}

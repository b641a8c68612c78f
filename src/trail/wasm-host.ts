import { MeshError } from '../base/error.ts';
import {
  type WasmExports,
  type WasmFunctions,
  type WasmMemory,
  type WasmModule,
  webAssembly,
} from './webassembly.ts';

/** A header line; one character a byte (latin1), name in lower case. */
export type HeaderLine = readonly [name: string, value: string];

/** The result of a request. */
export interface FilterAnswer {
  /** True when the request goes on to the next filter. */
  readonly passed: boolean;
  /** The request's header lines afterwards. */
  readonly headers: readonly HeaderLine[];
  readonly local: LocalResponse | undefined;
  /** The counted metrics, by name, in order. */
  readonly counted: readonly string[];
}

/** The filter's own answer. */
interface LocalResponse {
  readonly status: number;
  readonly grpcStatus: number;
  readonly headers: readonly HeaderLine[];
  readonly body: string;
}

// Status codes and constants of the proxy-wasm ABI 0.2.1.
const ok = 0;
const notFound = 1;
const badArgument = 2;
const invalidMemoryAccess = 6;
const requestHeaders = 0;
const counter = 0;

type Exports = {
  readonly memory: WasmMemory;
  readonly _initialize: () => void;
  readonly proxy_abi_version_0_2_1: () => void;
  readonly proxy_on_memory_allocate: (size: number) => number;
  readonly proxy_on_configure: (root: number, size: number) => number;
  readonly proxy_on_request_headers: (context: number, headers: number, endOfStream: number) => number;
};

const functionNames = [
  '_initialize',
  'proxy_abi_version_0_2_1',
  'proxy_on_configure',
  'proxy_on_memory_allocate',
  'proxy_on_request_headers',
] as const;

/**
 * Runs a filter as Envoy does, in Node's WebAssembly: the part of the proxy-wasm ABI 0.2.1 that the filter
 * uses, with Envoy 1.40's behaviour where the ABI leaves it open (several lines of one header; refused
 * allocations).
 */
export class FilterHost {
  #exports: Exports;
  #headers: HeaderLine[] = [];
  #local: LocalResponse | undefined;
  #counted: string[] = [];
  /** Index is id minus 1: no metric has the id 0. */
  readonly #metrics: string[] = [];
  #setsMax = Number.POSITIVE_INFINITY;
  #sets = 0;

  /** Use `load`. */
  private constructor(module: WasmModule) {
    const instance = new webAssembly.Instance(module, { env: this.#imports() });
    this.#exports = checkedExports(instance.exports);
  }

  /**
   * Compiles, starts and configures a filter. Throws MeshError 'invalid' if the bytes are not a module,
   * import something that the host does not have, export something that Envoy would call needlessly, or
   * refuse their configuration.
   */
  static async load(bytes: Uint8Array): Promise<FilterHost> {
    try {
      const host = new FilterHost(await webAssembly.compile(Uint8Array.from(bytes)));
      host.#exports._initialize();
      if (host.#exports.proxy_on_configure(1, 0) !== 1) throw new Error('proxy_on_configure refused');
      return host;
    } catch (reason) {
      if (reason instanceof MeshError) throw reason;
      throw new MeshError('invalid', `The filter does not load: ${String(reason)}.`, { cause: reason });
    }
  }

  /** Size of the filter's memory in bytes. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** The metrics that the filter has defined, in order. */
  get metrics(): readonly string[] {
    return this.#metrics;
  }

  /** From now on the host refuses to set more than this many headers of a request, to test that case. */
  limitSets(setsMax: number): void {
    this.#setsMax = setsMax;
  }

  /** Passes one request's headers through the filter. A trap throws WebAssembly.RuntimeError. */
  request(headers: readonly HeaderLine[]): FilterAnswer {
    this.#headers = [...headers];
    this.#local = undefined;
    this.#counted = [];
    this.#sets = 0;
    const action = this.#exports.proxy_on_request_headers(2, headers.length, 1);
    return {
      passed: action === 0 && this.#local === undefined,
      headers: this.#headers,
      local: this.#local,
      counted: this.#counted,
    };
  }

  #imports(): WasmFunctions {
    return {
      proxy_get_property: (path: number, length: number, value: number, size: number) => {
        const [root, map, name, ...rest] = this.#text(path, length).split('\0');
        if (root !== 'request' || map !== 'headers' || name === undefined || rest.length > 0) return notFound;
        const lines = this.#lines(name);
        return lines.length === 0 ? notFound : this.#give(lines.join(','), value, size);
      },
      proxy_get_header_map_value: (map: number, key: number, length: number, value: number, size: number) => {
        if (map !== requestHeaders) return badArgument;
        const [first] = this.#lines(this.#text(key, length));
        return first === undefined ? notFound : this.#give(first, value, size);
      },
      proxy_replace_header_map_value: (
        map: number,
        key: number,
        length: number,
        value: number,
        size: number,
      ) => {
        if (map !== requestHeaders || this.#sets >= this.#setsMax) return badArgument;
        const name = this.#text(key, length);
        this.#sets++;
        this.#headers = this.#headers.filter((line) => line[0] !== name);
        this.#headers.push([name, this.#text(value, size)]);
        return ok;
      },
      proxy_send_local_response: (
        status: number,
        _details: number,
        _detailsLength: number,
        body: number,
        bodyLength: number,
        headers: number,
        headersLength: number,
        grpcStatus: number,
      ) => {
        this.#local = {
          status,
          grpcStatus,
          headers: this.#pairs(headers, headersLength),
          body: this.#text(body, bodyLength),
        };
        return ok;
      },
      proxy_define_metric: (type: number, name: number, length: number, id: number) => {
        if (type !== counter) return badArgument;
        this.#metrics.push(this.#text(name, length));
        this.#view().setUint32(id, this.#metrics.length, true);
        return ok;
      },
      proxy_increment_metric: (id: number, offset: bigint) => {
        const name = this.#metrics[id - 1];
        if (name === undefined || offset !== 1n) return badArgument;
        this.#counted.push(name);
        return ok;
      },
    };
  }

  #lines(name: string): readonly string[] {
    return this.#headers.filter((line) => line[0] === name).map((line) => line[1]);
  }

  /** Passes a value to the filter in memory that the filter allocates, by the ABI. */
  #give(value: string, pointer: number, size: number): number {
    let target = 0;
    if (value.length > 0) {
      target = this.#exports.proxy_on_memory_allocate(value.length);
      const buffer = this.#exports.memory.buffer;
      if (target === 0 || target + value.length > buffer.byteLength) return invalidMemoryAccess;
      Buffer.from(buffer).write(value, target, 'latin1');
    }
    this.#view().setUint32(pointer, target, true);
    this.#view().setUint32(size, value.length, true);
    return ok;
  }

  #text(from: number, length: number): string {
    return Buffer.from(this.#exports.memory.buffer, from, length).toString('latin1');
  }

  #pairs(from: number, length: number): readonly HeaderLine[] {
    const view = this.#view();
    const count = view.getUint32(from, true);
    let at = from + 4 + 8 * count;
    const next = (index: number) => {
      const size = view.getUint32(from + 4 + 4 * index, true);
      const text = this.#text(at, size);
      at += size + 1;
      return text;
    };
    const pairs = Array.from(
      { length: count },
      (_, index): HeaderLine => [next(2 * index), next(2 * index + 1)],
    );
    if (at !== from + length)
      throw new MeshError('invalid', 'The filter sent a header map of the wrong length.');
    return pairs;
  }

  #view(): DataView {
    return new DataView(this.#exports.memory.buffer);
  }
}

function checkedExports(exports: WasmExports): Exports {
  const names = Object.keys(exports).sort();
  const wanted = [...functionNames, 'memory'].sort();
  if (names.join() !== wanted.join()) {
    throw new MeshError(
      'invalid',
      `The filter exports ${names.join(', ')}; it must export ${wanted.join(', ')}.`,
    );
  }
  if (
    !(exports.memory instanceof webAssembly.Memory) ||
    functionNames.some((name) => typeof exports[name] !== 'function')
  ) {
    throw new MeshError('invalid', 'The filter exports a name as the wrong kind.');
  }
  return exports as unknown as Exports;
}

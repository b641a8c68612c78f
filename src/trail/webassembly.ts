/**
 * The part of the WebAssembly JavaScript API that `wasm-host.ts` needs: TypeScript has its types only in the
 * DOM library.
 */
interface WebAssemblyApi {
  compile(bytes: Uint8Array<ArrayBuffer>): Promise<WasmModule>;
  readonly Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: WasmExports };
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory;
}

declare const wasmModule: unique symbol;
/** A compiled module. */
export interface WasmModule {
  readonly [wasmModule]: never;
}

/** A linear memory; growing replaces its buffer. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** Functions of one imported module, by name: i32 is a number, i64 a bigint. */
export type WasmFunctions = Readonly<Record<string, (...values: never[]) => number>>;
type WasmImports = Readonly<Record<string, WasmFunctions>>;
export type WasmExports = Readonly<Record<string, unknown>>;

/** Node's own WebAssembly. */
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

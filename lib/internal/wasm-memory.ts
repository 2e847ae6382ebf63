// What memmap needs of WebAssembly: memory, whose buffers end and move without a native call. Its types come
// with the DOM's.

interface WasmMemory<TArrayBuffer extends ArrayBufferLike> {
  readonly buffer: TArrayBuffer;
  grow(pages: number): number;
}

declare const WebAssembly: {
  readonly Memory: {
    new (pages: { initial: number; maximum: number; shared: true }): WasmMemory<SharedArrayBuffer>;
    new (pages: { initial: number; maximum: number }): WasmMemory<ArrayBuffer>;
  };
};

const WASM_PAGE = 2 ** 16;

/** Pages of WebAssembly in so many bytes; undefined if they are not whole ones, or there is no WebAssembly, as under --jitless. */
export function wasmPages(length: number): number | undefined {
  const pages = length / WASM_PAGE;
  return Number.isInteger(pages) && typeof WebAssembly === 'object' ? pages : undefined;
}

export function wasmMemory(pages: number): WasmMemory<ArrayBuffer> {
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

export function sharedWasmMemory(pages: number): WasmMemory<SharedArrayBuffer> {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

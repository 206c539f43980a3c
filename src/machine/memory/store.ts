// Where the bytes of a host lie: one buffer that compiled guest code can address too. In front of the machine's memory
// lies, for each processor, what compiled code shares with the interpreter (registers and the TLB); behind it, one byte for
// each 32 of it that says whether decoded code lies there, and two for each page. Without WebAssembly it is a plain buffer.

/** Bytes for what one processor shares, and how many processors there may be. */
export const SHARED_BYTES = 0x14000;
export const MOST_PROCESSORS = 4;
/** Where the machine's memory begins in the buffer. */
export const RAM_BASE = SHARED_BYTES * MOST_PROCESSORS;
/** Tables of where to go in a page of compiled code: so many for each processor, a byte for each offset. */
export const TABLES = 512;
const TABLE_BYTES = 4096;
const PAGE_SHIFT = 12;
/** Stores are told from code by lines of 32 bytes: the shift of an address. */
export const LINE_SHIFT = 5;
const WASM_PAGE = 0x10000;

/** A table of functions that compiled code calls by number. */
export interface FunctionTable {
  set(index: number, value: unknown): void;
}

/** The little of WebAssembly that the core uses; the core compiles without DOM types. */
export interface WasmApi {
  Memory: new (descriptor: { initial: number; maximum?: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Table: new (descriptor: { initial: number; element: 'anyfunc' }) => FunctionTable;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
}
export const wasmApi: WasmApi | undefined = (globalThis as { WebAssembly?: WasmApi }).WebAssembly;

export interface Store {
  readonly buffer: ArrayBuffer;
  /** The memory object for compiled code; null where there is none. */
  readonly wasm: object | null;
  /** Offset of the bytes that say in which lines code is. */
  readonly linesBase: number;
  /** Offsets of the bytes that say in which pages code is, and which are a device's. */
  readonly codePagesBase: number;
  readonly mappedBase: number;
  /** Offset of the first table. */
  readonly tablesBase: number;
}

/** @param size bytes of the machine's memory, a multiple of 4096 */
export function allocate(size: number): Store {
  const linesBase = RAM_BASE + size;
  const codePagesBase = linesBase + (size >>> LINE_SHIFT);
  const mappedBase = codePagesBase + (size >>> PAGE_SHIFT);
  const tablesBase = mappedBase + (size >>> PAGE_SHIFT);
  const places = { linesBase, codePagesBase, mappedBase, tablesBase };
  const total = tablesBase + TABLES * MOST_PROCESSORS * TABLE_BYTES;
  if (wasmApi) {
    try {
      const pages = Math.ceil(total / WASM_PAGE);
      const wasm = new wasmApi.Memory({ initial: pages, maximum: pages });
      return { buffer: wasm.buffer, wasm, ...places };
    } catch {
      // No address space left for one: the interpreter needs none.
    }
  }
  return { buffer: new ArrayBuffer(total), wasm: null, ...places };
}

// Compiled modules by their content: code that comes back to the same linear page (a program started again, a page that was
// discarded and written anew) is not compiled a second time. What differs between two places with the same code is given to
// the function at each call (prologue.ts), so that its bytes are the same. The oldest modules go first.
import { type WasmApi, wasmApi } from '../memory/store.ts';

/** A compiled region: number of the entry, cycle budget; gives back the number of the exit. */
export type RegionFunction = (entry: number, budget: number) => number;

interface Kept {
  readonly bytes: Uint8Array;
  readonly run: RegionFunction;
}

/** FNV-1a over the bytes. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < bytes.length; n++) hash = Math.imul(hash ^ bytes[n], 0x01000193);
  return hash;
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, n) => byte === b[n]);

/** What was compiled for one memory. */
export class ModuleCache {
  /** Modules that had to be compiled, and those that had been before. */
  compiled = 0;
  reused = 0;
  private readonly kept = new Map<number, Kept>();

  /**
   * @param memory the memory object that modules import
   * @param most modules that are kept
   */
  constructor(
    private readonly memory: object | null,
    private readonly most: number,
    /** What modules import beside it. */
    private readonly imports: () => object = () => ({}),
    private readonly api: WasmApi | undefined = wasmApi,
  ) {}

  get size(): number {
    return this.kept.size;
  }

  /** The function of a module. Throws CompileError where run-time compilation is refused. */
  functionOf(bytes: Uint8Array): RegionFunction {
    const hash = hashOf(bytes);
    const known = this.kept.get(hash);
    if (known && same(known.bytes, bytes)) {
      // The last one used is the last one to go.
      this.kept.delete(hash);
      this.kept.set(hash, known);
      this.reused++;
      return known.run;
    }
    const { Module, Instance } = this.api!;
    const imports = { m: { m: this.memory, ...this.imports() } };
    const run = new Instance(new Module(bytes), imports).exports.f as RegionFunction;
    this.compiled++;
    if (this.kept.size >= this.most) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(hash, { bytes, run });
    return run;
  }
}

// Shadow paging of a guest that may page with PAE: while it does, its shadows have three levels too (SDM vol. 3 §4.4), and four
// PDPTEs as it had them when it loaded CR3; else they are those of shadow-paging.ts. There is one page of PDPTEs for all
// address spaces of the guest, filled anew at each switch: directories and tables stay.
import { optional, PTE } from './guest-walk.ts';
import { ShadowKind, type ShadowPage } from './shadow-pages.ts';
import { ShadowPaging } from './shadow-paging.ts';
import './three-levels.ts';

const CR0_WP = 0x10000;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
/** A change of these loads the PDPTEs anew (SDM vol. 3 §4.4.1): PG CD NW, and PSE PAE PGE. */
const CR0_LOADS = 0xe0000000;
const CR4_LOADS = 0xb0;

const isWide = (cr0: number, cr4: number): boolean => (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0;

export class WideShadowPaging extends ShadowPaging {
  override readonly canBeWide = true;

  override loadCr3(value: number, pointers?: Int32Array): boolean {
    if (this.wide && !this.takePointers(value, pointers)) return false;
    return super.loadCr3(value);
  }

  override loadCr0(value: number, pointers?: Int32Array): boolean {
    const { cr0, cr3, cr4 } = this.control;
    const wide = isWide(value, cr4);
    const loads = wide && ((cr0 ^ value) & CR0_LOADS) !== 0;
    if (loads && !this.takePointers(cr3, pointers)) return false;
    if (wide !== this.wide) {
      this.control.cr0 = value;
      this.reformat();
      return true;
    }
    super.loadCr0(value);
    if (loads && !((cr0 ^ value) & CR0_WP)) this.reload();
    return true;
  }

  override loadCr4(value: number, pointers?: Int32Array): boolean {
    const { cr0, cr3, cr4 } = this.control;
    const wide = isWide(cr0, value);
    const loads = wide && ((cr4 ^ value) & CR4_LOADS) !== 0;
    if (loads && !this.takePointers(cr3, pointers)) return false;
    if (wide !== this.wide) {
      this.control.cr4 = value;
      this.reformat();
      return true;
    }
    super.loadCr4(value);
    if (loads && !((cr4 ^ value) & CR4_PSE)) this.reload();
    return true;
  }

  /** Reads the PDPTEs, or takes over those of an emulated processor. False when one has a reserved bit: then nothing has changed. */
  private takePointers(cr3: number, given?: Int32Array): boolean {
    const words = given ?? optional.threeLevels!.pointers(this.guest, cr3);
    if (!words) return false;
    (this.control.pointers ??= new Int32Array(8)).set(words);
    return true;
  }

  private reload(): void {
    this.outOfSync.synchronize();
    this.chooseRoot();
  }

  /** From two levels to three, or back: entries are of another size. */
  private reformat(): void {
    this.wide = !this.wide;
    this.outOfSync.forget();
    this.pages.format(this.wide);
    this.chooseRoot();
  }

  protected override directoryIndex(linear: number): number {
    return this.wide ? (linear >>> 21) & 0x1ff : super.directoryIndex(linear);
  }

  /** Entries that lead above 4 GiB lead nowhere. */
  override guestEntry(table: number, n: number): number {
    if (!this.wide) return super.guestEntry(table, n);
    return this.memory.read32(table + n * 8 + 4) ? 0 : this.memory.read32(table + n * 8);
  }

  /** Directories that there are already stand below it; the others come with the first fault in each. */
  protected override findRoot(): ShadowPage {
    if (!this.wide) return super.findRoot();
    const root = this.pages.find(ShadowKind.pointers, 0) ?? this.create(ShadowKind.pointers, 0);
    for (let n = 0; n < 4; n++) {
      const directory = this.pages.find(ShadowKind.root, this.directoryFrame(n));
      if (!directory || !(this.control.pointers![n * 2] & PTE.present)) this.pages.clear(root, n);
      else if (this.pages.child(root, n) !== directory) this.pages.setChild(root, n, directory, PTE.present);
    }
    return root;
  }

  /** Guest frame of a directory; above 4 GiB, one that no guest has. */
  private directoryFrame(n: number): number {
    const { pointers } = this.control;
    return pointers![n * 2 + 1] ? 0xfffff : pointers![n * 2] >>> 12;
  }

  protected override directoryFor(linear: number, make: boolean): ShadowPage | null {
    if (!this.wide) return super.directoryFor(linear, make);
    const n = linear >>> 30;
    const present = this.pages.child(this.current, n);
    if (present || !make) return present;
    const frame = this.directoryFrame(n);
    const directory = this.known(ShadowKind.root, frame) ?? this.create(ShadowKind.root, frame);
    this.pages.setChild(this.current, n, directory, PTE.present);
    return directory;
  }
}

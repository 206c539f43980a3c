// Accessed bits of segments (SDM vol. 3 §3.4.5.1), as a processor sets them in a guest's table: for what the monitor loads in the
// guest's name at once, for what the guest loads by itself, through the shadow, whenever it comes to the monitor.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { isGuestFault, type LinearMemory } from './linear.ts';

const PRESENT = 0x8000;
export const ACCESSED = 0x100;

/** Whether this is a segment that a load would mark. @param high of the guest's own descriptor, which has a shadow */
export const isUnaccessed = (high: number): boolean => (high & (PRESENT | ACCESSED)) === PRESENT;

export class AccessedBits {
  /** Segments of the guest's tables that have not been loaded since their bit was cleared. */
  private selectors: number[] = [];

  /**
   * @param own linear address of the guest's own descriptor
   * @param shadow machine address of its shadow; 0 when there is none
   */
  constructor(
    private readonly linear: LinearMemory,
    private readonly memory: PhysicalMemory,
    private readonly own: (selector: number) => number,
    private readonly shadow: (selector: number) => number,
  ) {}

  /** The shadow has been made anew, with these that are clear. @returns whether there is one among them that was not before */
  follow(selectors: number[]): boolean {
    const before = new Set(this.selectors);
    this.selectors = selectors;
    return selectors.some((selector) => !before.has(selector));
  }

  /** A segment is loaded: its table says so. Raises #PF. */
  mark(selector: number): void {
    const at = (this.own(selector) + 5) >>> 0;
    this.linear.write(at, this.linear.read8(at) | (ACCESSED >>> 8), 1);
    this.selectors = this.selectors.filter((other) => other !== (selector & 0xfffc));
    this.set(selector, true);
  }

  /** What the guest has loaded by itself since it was entered. */
  note(): void {
    // `mark` puts another list in the place of this one.
    for (const selector of this.selectors) if (this.isSet(selector)) this.markLate(selector);
  }

  private markLate(selector: number): void {
    try {
      this.mark(selector);
    } catch (error) {
      // Nobody waits for that fault any more.
      if (!isGuestFault(error)) throw error;
    }
  }

  /** The registers have been loaded with what they had: that is no access of the guest's. */
  entered(): void {
    for (const selector of this.selectors) if (this.isSet(selector)) this.set(selector, false);
  }

  /** An entry that is empty has not been loaded. */
  private isSet(selector: number): boolean {
    const at = this.shadow(selector);
    return at !== 0 && (this.memory.read32(at + 4) & ACCESSED) !== 0;
  }

  private set(selector: number, on: boolean): void {
    const at = this.shadow(selector);
    const high = at && this.memory.read32(at + 4);
    if (high !== 0) this.memory.write32(at + 4, on ? high | ACCESSED : high & ~ACCESSED);
  }
}

// The capability MSRs of first-generation VT-x against the numbers that Xen 3.0 and Linux know (facts §5.4).
import { describe, expect, it } from 'vitest';
import { capabilityMsrs, FIRST_GENERATION, supported } from './capabilities.ts';

const msr = (index: number) => capabilityMsrs().get(index)!;
const low = (index: number) => Number(msr(index) & 0xffffffffn);
const high = (index: number) => Number(msr(index) >> 32n);

describe('VMX capability MSRs', () => {
  it('report the default-1 settings in their low halves', () => {
    expect(low(0x481)).toBe(0x16);
    expect(low(0x482)).toBe(0x0401e172);
    expect(low(0x483)).toBe(0x36dff);
    expect(low(0x484)).toBe(0x11ff);
  });

  it('force CR3 exits, and know nothing of secondary controls, the monitor trap flag and virtual NMIs', () => {
    expect(low(0x482) & (1 << 15)).not.toBe(0);
    expect(low(0x482) & (1 << 16)).not.toBe(0);
    expect(high(0x482) >>> 31).toBe(0);
    expect(high(0x482) & (1 << 27)).toBe(0);
    expect(high(0x481) & (1 << 5)).toBe(0);
  });

  it('allow every bit that they require', () => {
    for (const index of [0x481, 0x482, 0x483, 0x484, 0x486, 0x488]) {
      if (index < 0x486) expect(low(index) & ~high(index)).toBe(0);
      else expect(low(index) & ~low(index + 1)).toBe(0);
    }
  });

  it('describe the VMCS region: 4 KiB, write-back memory below 4 GiB, bit 31 of the revision clear', () => {
    expect(low(0x480) >>> 31).toBe(0);
    expect(high(0x480) & 0x1fff).toBe(4096);
    expect((high(0x480) >>> 16) & 1).toBe(1);
    expect((high(0x480) >>> 18) & 15).toBe(6);
  });

  it('fix PE, NE and PG of CR0 to 1, and VMXE of CR4', () => {
    expect(low(0x486)).toBe(0x80000021);
    expect(low(0x488)).toBe(0x2000);
    expect(supported(0x80000021 | 0, FIRST_GENERATION.cr0)).toBe(true);
    expect(supported(0x21, FIRST_GENERATION.cr0)).toBe(false);
    expect(supported(0x2020, FIRST_GENERATION.cr4), 'PAE').toBe(true);
    expect(supported(0x2040, FIRST_GENERATION.cr4), 'MCE').toBe(false);
  });
});

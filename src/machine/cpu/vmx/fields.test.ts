// The encodings as Xen 4.1's vmcs.h spells them (facts §5.3), and the manual's rule for width and group.
import { describe, expect, it } from 'vitest';
import { ABSENT_FIELD, FIELD, FIELDS, fieldByEncoding, LATER_FIELD } from './fields.ts';
import { buildFieldIndex, fieldWord, VMCS_SIZE } from './layout.ts';

describe('VMCS fields', () => {
  it('have the encodings of SDM vol. 3 appendix B', () => {
    const known: Record<string, number> = {
      GUEST_ES_SELECTOR: 0x800,
      GUEST_TR_SELECTOR: 0x80e,
      HOST_TR_SELECTOR: 0xc0c,
      IO_BITMAP_A: 0x2000,
      MSR_BITMAP: 0x2004,
      TSC_OFFSET: 0x2010,
      VMCS_LINK_POINTER: 0x2800,
      GUEST_IA32_DEBUGCTL: 0x2802,
      PIN_BASED_VM_EXEC_CONTROL: 0x4000,
      CPU_BASED_VM_EXEC_CONTROL: 0x4002,
      EXCEPTION_BITMAP: 0x4004,
      VM_EXIT_CONTROLS: 0x400c,
      VM_ENTRY_CONTROLS: 0x4012,
      VM_ENTRY_INTR_INFO: 0x4016,
      VM_INSTRUCTION_ERROR: 0x4400,
      VM_EXIT_REASON: 0x4402,
      IDT_VECTORING_INFO: 0x4408,
      VM_EXIT_INSTRUCTION_LEN: 0x440c,
      GUEST_ES_LIMIT: 0x4800,
      GUEST_GDTR_LIMIT: 0x4810,
      GUEST_ES_AR_BYTES: 0x4814,
      GUEST_TR_AR_BYTES: 0x4822,
      GUEST_INTERRUPTIBILITY_INFO: 0x4824,
      GUEST_ACTIVITY_STATE: 0x4826,
      GUEST_SYSENTER_CS: 0x482a,
      HOST_SYSENTER_CS: 0x4c00,
      CR0_GUEST_HOST_MASK: 0x6000,
      CR4_READ_SHADOW: 0x6006,
      EXIT_QUALIFICATION: 0x6400,
      GUEST_LINEAR_ADDRESS: 0x640a,
      GUEST_CR0: 0x6800,
      GUEST_ES_BASE: 0x6806,
      GUEST_TR_BASE: 0x6814,
      GUEST_DR7: 0x681a,
      GUEST_RSP: 0x681c,
      GUEST_RIP: 0x681e,
      GUEST_RFLAGS: 0x6820,
      GUEST_PENDING_DBG_EXCEPTIONS: 0x6822,
      GUEST_SYSENTER_EIP: 0x6826,
      HOST_CR0: 0x6c00,
      HOST_GDTR_BASE: 0x6c0c,
      HOST_RSP: 0x6c14,
      HOST_RIP: 0x6c16,
    };
    for (const [name, encoding] of Object.entries(known))
      expect(FIELD[name as keyof typeof FIELD], name).toBe(encoding);
  });

  it('have the width and the group that their encoding says', () => {
    expect(fieldByEncoding(FIELD.GUEST_CS_SELECTOR)).toMatchObject({ width: 16, group: 'guest' });
    expect(fieldByEncoding(FIELD.IO_BITMAP_A)).toMatchObject({ width: 64, group: 'control' });
    expect(fieldByEncoding(FIELD.IO_BITMAP_A + 1)).toMatchObject({ name: 'IO_BITMAP_A_HIGH' });
    expect(fieldByEncoding(FIELD.VM_EXIT_REASON)).toMatchObject({ width: 32, group: 'read-only' });
    expect(fieldByEncoding(FIELD.HOST_RIP)).toMatchObject({ width: 'natural', group: 'host' });
  });

  it('each have a place of their own inside the region', () => {
    const words = FIELDS.map((field) => fieldWord(field.encoding));
    expect(new Set(words).size).toBe(FIELDS.length);
    expect(Math.min(...words)).toBeGreaterThan(2);
    expect(Math.max(...words) * 4).toBeLessThan(VMCS_SIZE);
  });

  it('of later generations are unknown to a first-generation processor', () => {
    const index = buildFieldIndex(1);
    expect(index[FIELD.GUEST_RIP]).toBeGreaterThan(0);
    for (const encoding of Object.values({ ...LATER_FIELD, ...ABSENT_FIELD }))
      expect(index[encoding]).toBe(0);
    expect(buildFieldIndex(2)[LATER_FIELD.EPT_POINTER]).toBeGreaterThan(0);
  });
});

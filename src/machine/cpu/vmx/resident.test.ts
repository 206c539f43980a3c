// A guest of a hypervisor of ours keeps its registers in the processor from an exit to the next entry. Nobody may be able to
// tell: the VMCS says the same, VMWRITE counts, rules are checked, and whoever needs the host finds it.
import { expect, it } from 'vitest';
import { settleHost } from './exit.ts';
import { EXIT } from './exit-reasons.ts';
import { vmxOf } from './state.ts';
import { Guest, needsNasm } from './testing-guest.ts';
import { HANDLER_30, SEGMENT_CHANGES, SYSENTER } from './testing-segments.ts';

const PROGRAM = `
cpuid
mov ax, 0x10
mov ds, ax
mov ebx, ds
cpuid
smsw esi
cpuid`;

const fields = {
  GUEST_SYSENTER_CS: SYSENTER.cs,
  GUEST_SYSENTER_EIP: SYSENTER.eip,
  GUEST_SYSENTER_ESP: SYSENTER.esp,
};

/** Two kinds of the same guest: the first under anybody, the second under a hypervisor of ours. */
function both(program = PROGRAM): [Guest, Guest] {
  const make = () => new Guest(program, fields, { 48: HANDLER_30 });
  const guests: [Guest, Guest] = [make(), make()];
  const { cpu } = guests[1];
  vmxOf(cpu).ours = true;
  return guests;
}

/** The VMCS. */
function page({ cpu }: Guest): number[] {
  const { words, base } = vmxOf(cpu);
  return [...words.subarray(base, base + 1024)];
}

needsNasm('registers that stay in the processor', () => {
  it('are in the VMCS all the same, exit by exit', () => {
    const [one, other] = both();
    for (let n = 0; n < 3; n++) {
      expect([one.exit(), other.exit()]).toEqual([EXIT.cpuid, EXIT.cpuid]);
      expect(page(other)).toEqual(page(one));
      expect(other.cpu.cycles).toBe(one.cpu.cycles);
      for (const guest of [one, other]) guest.set({ GUEST_RIP: guest.read('GUEST_RIP') + 2 });
    }
  });

  it('are in the VMCS whichever way they were loaded', () => {
    // One after the other: loads of segments are counted for all processors together.
    const [anybodys, ours] = both(SEGMENT_CHANGES).map((guest) => {
      const pages: number[][] = [];
      const rings = new Set<number>();
      while (guest.exit() === EXIT.cpuid) {
        pages.push(page(guest));
        rings.add(guest.read('GUEST_CS_SELECTOR') & 3);
        guest.set({ GUEST_RIP: guest.read('GUEST_RIP') + 2 });
      }
      return { pages, rings, last: guest.read('VM_EXIT_REASON') };
    });
    expect(ours).toEqual(anybodys);
    expect(ours).toMatchObject({ pages: { length: 24 }, rings: new Set([0, 3]), last: EXIT.hlt });
  });

  it('come from the VMCS when a hypervisor has written there', () => {
    const [one, other] = both();
    for (const guest of [one, other]) {
      guest.exit();
      guest.set({ GUEST_RIP: guest.read('GUEST_RIP') + 2, GUEST_DS_BASE: 0x1000, GUEST_GDTR_LIMIT: 0x77 });
      guest.exit();
      expect(guest.read('GUEST_GDTR_LIMIT')).toBe(0x77);
    }
  });

  it('are checked again when they were written to', () => {
    const [, other] = both();
    other.exit();
    other.set({ GUEST_RIP: other.read('GUEST_RIP') + 2, GUEST_TR_AR_BYTES: 0x10000 });
    expect(other.exit() >>> 0).toBe((0x80000000 | EXIT.invalidGuestState) >>> 0);
  });

  it('make room for the host when somebody needs it', () => {
    const [one, other] = both();
    one.exit();
    other.exit();
    settleHost(other.cpu);
    const silicon = ({ cpu }: Guest) => [
      cpu.cr0,
      cpu.cr3,
      cpu.cr4,
      cpu.dr[7],
      { ...cpu.gdtr },
      { ...cpu.idtr },
      cpu.segments.map((segment) => ({ ...segment })),
    ];
    expect(silicon(other)).toEqual(silicon(one));
    other.set({ GUEST_RIP: other.read('GUEST_RIP') + 2 });
    expect(other.exit()).toBe(EXIT.cpuid);
  });
});

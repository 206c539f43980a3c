// What compiled code loads of CS and SS on its way through gates and back is in the VMCS at the next exit.
import { expect, it } from 'vitest';
import { executionOf } from '../cpu/execute.ts';
import { EXIT } from '../cpu/vmx/exit-reasons.ts';
import { vmxOf } from '../cpu/vmx/state.ts';
import { AT } from '../cpu/vmx/testing.ts';
import { Guest, needsNasm } from '../cpu/vmx/testing-guest.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const EXITS = 2000;
/** System calls between two of them, a power of two. */
const CALLS = 64;
const HANDLER = AT.code + 0x1000;

/** A program of ring 3 calls its kernel; after some calls, first the kernel executes CPUID and then the program. */
const PROGRAM = `
  mov ax, 0x2b
  mov ds, ax
  mov es, ax
  xor edx, edx
  push dword 0x2b
  push dword ${AT.stack + 0x1000}
  push dword 2
  push dword 0x23
  push dword again
  iret
again:
  int 0x30
  add eax, edx
  test edx, ${CALLS - 1}
  jnz again
  cpuid
  jmp again
  times 0x1000 - ($ - $$) nop
  inc edx
  test edx, ${CALLS - 1}
  jnz out
  cpuid
out:
  iret`;

needsNasm('a guest whose compiled code changes rings', () => {
  it('is saved with the segments of the ring in which it leaves', () => {
    const guest = new Guest(PROGRAM);
    const { cpu } = guest;
    cpu.memory.write32(AT.idt + 0x30 * 8, (8 << 16) | (HANDLER & 0xffff));
    cpu.memory.write32(AT.idt + 0x30 * 8 + 4, (HANDLER & 0xffff0000) | 0xee00);
    vmxOf(cpu).ours = true;
    const rings = new Set<string>();
    for (let n = 0; n < EXITS; n++) {
      expect(guest.exit()).toBe(EXIT.cpuid);
      rings.add(
        [guest.read('GUEST_CS_SELECTOR'), guest.read('GUEST_SS_SELECTOR'), cpu.regs[2] & (CALLS - 1)].join(),
      );
      guest.set({ GUEST_RIP: guest.read('GUEST_RIP') + 2 });
    }
    expect([...rings]).toEqual(['8,16,0', '35,43,0']);
    expect(cpu.regs[2]).toBe((EXITS / 2) * CALLS);
    const { links } = executionOf(cpu).engine as Engine;
    expect(links.transfers).toBeGreaterThan((EXITS / 2) * CALLS);
  });
});

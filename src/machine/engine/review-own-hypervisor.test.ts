// A hypervisor in the machine's own code, host and guests compiled in one run: between exits it changes the guest's CR0, CR3 and
// CR4, its VPID and what leaves, and flushes nothing. Both sides walk tables, load CR3 and invalidate pages by themselves.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { PROC } from '../cpu/vmx/capabilities.ts';
import { FIELD, LATER_FIELD } from '../cpu/vmx/fields.ts';
import { vmlaunch, vmwrite } from '../cpu/vmx/operations.ts';
import { SECONDARY } from '../cpu/vmx/second-generation.ts';
import { AT, guestTables, readyVmcs } from '../cpu/vmx/testing.ts';
import type { Engine } from './engine.ts';
import './provide.ts';
import '../cpu/vmx/provide-second-generation.ts';

const F = { ...FIELD, ...LATER_FIELD };
const CODE = 0x10000;
/** Directories and tables of the host, and the guest's two. */
const T = {
  host: 0x60000,
  low: 0x61000,
  hostHigh: 0x62000,
  a: 0x63000,
  highA: 0x64000,
  b: 0x65000,
  highB: 0x66000,
};
const PROC_GUEST = 0x04006172 | PROC.hlt | PROC.secondary;

const source = (calls: number, vpids: number) => `
bits 32
org ${CODE}
guest:
  mov ecx, 6000
round:
  mov eax, [0x400000 + edi]
  add eax, ecx
  mov [0x400000 + edi], eax
  mov ebx, cr3
  test ecx, 1
  jnz even
  mov cr3, ebx
even:
  xor esi, ebx
  rol esi, 3
  invlpg [0x401000]
  add [0x401004], esi
  mov [0x408000], eax
  rdtsc
  add ebp, eax
  add edi, 4100
  and edi, 0x7ffc
  test ecx, ${calls}
  jnz on
  db 0x0f, 0x01, 0xc1
on:
  dec ecx
  jnz round
  hlt
fault:
  add esp, 4
  add dword [esp], 5
  inc dword [faults]
  iret
faults: dd 0
align 4096
host:
  pushad
  mov ebx, 0x4402
  vmread eax, ebx
  cmp eax, 18
  je called
  cmp eax, 28
  jne stop
; A CR access was to leave: no more.
  inc dword [left]
  mov eax, ${PROC_GUEST}
  jmp controls
called:
  inc dword [count]
  mov ebx, 0x681e
  vmread eax, ebx
  add eax, 3
  vmwrite ebx, eax
  mov edx, [count]
  mov ebx, 0x6802
  vmread eax, ebx
  xor eax, ${T.a ^ T.b}
  vmwrite ebx, eax
  test edx, 1
  jz vpid
  mov ebx, 0x6800
  vmread eax, ebx
  xor eax, 0x10000
  vmwrite ebx, eax
vpid:
  test edx, 2
  jz tag
  mov ebx, 0x6804
  vmread eax, ebx
  xor eax, 0x80
  vmwrite ebx, eax
tag:
  mov eax, edx
  shr eax, 1
  xor edx, edx
  mov ebx, ${vpids}
  div ebx
  lea eax, [edx + 1]
  xor ebx, ebx
  vmwrite ebx, eax
  mov eax, ${PROC_GUEST}
  test dword [count], 7
  jnz controls
  or eax, ${PROC.cr3Load}
controls:
  mov ebx, 0x4002
  vmwrite ebx, eax
  mov ecx, 24
  xor edi, edi
own:
  mov eax, [0x400000 + edi]
  add eax, ecx
  mov [0x400000 + edi], eax
  add edi, 4096
  and edi, 0x7ffc
  test ecx, 3
  jnz more
  mov eax, cr3
  mov cr3, eax
  invlpg [0x402000]
more:
  dec ecx
  jnz own
  popad
  vmresume
  hlt
stop:
  mov edi, eax
  hlt
count: dd 0
left: dd 0
`;

function finish(calls: number, vpids: number, compiled: boolean, slice: number) {
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', source(calls, vpids)]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const { cpu } = readyVmcs('nehalem');
  const { memory, recorder } = cpu;
  recorder.hashing = true;
  cpu.compiledAllowed = compiled;
  cpu.monitorSize = 0;
  guestTables(memory, 0);
  const to = symbols.get('fault')!;
  memory.write32(AT.idt + 14 * 8, (8 << 16) | (to & 0xffff));
  memory.write32(AT.idt + 14 * 8 + 4, (to & 0xffff0000) | 0xee00);
  memory.load(CODE, bytes);
  for (const [directory, table, data] of [
    [T.host, T.hostHigh, 0x68],
    [T.a, T.highA, 0x70],
    [T.b, T.highB, 0x78],
  ]) {
    memory.write32(directory, T.low | 0x67);
    memory.write32(directory + 4, table | 0x67);
    for (let n = 0; n < 8; n++) memory.write32(table + n * 4, ((data + n) << 12) | (n & 1 ? 0x167 : 0x67));
    memory.write32(table + 8 * 4, (0x67 << 12) | 0x65);
  }
  for (let n = 0; n < 0x80; n++) memory.write32(T.low + n * 4, (n << 12) | 0x67);
  cpu.cr3 = T.host;
  cpu.tlb.flush();
  const fields: Partial<Record<keyof typeof F, number>> = {
    CPU_BASED_VM_EXEC_CONTROL: PROC_GUEST,
    SECONDARY_VM_EXEC_CONTROL: SECONDARY.vpid,
    VIRTUAL_PROCESSOR_ID: 1,
    HOST_RIP: symbols.get('host')!,
    HOST_CR3: T.host,
    GUEST_CR3: T.a,
  };
  for (const [name, value] of Object.entries(fields))
    expect(vmwrite(cpu, F[name as keyof typeof F], value)).toBe(0);
  expect(vmlaunch(cpu)).toBe(0);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 2000; n++) stop = run(cpu, cpu.cycles + slice);
  const { cycles, instructions, eip, regs, cr2, cr3 } = cpu;
  return {
    state: {
      ...{
        stop,
        cycles,
        instructions,
        eip,
        regs: [...regs],
        cr2,
        cr3,
        flags: getFlags(cpu),
        hash: recorder.hash,
      },
      memory: Buffer.from(memory.bytes).toString('base64'),
    },
    left: memory.read32(symbols.get('left')!),
    faults: memory.read32(symbols.get('faults')!),
    regions: (executionOf(cpu).engine as Engine | null)?.compiled ?? 0,
  };
}

it.each([
  [15, 3, 1_000_000],
  [7, 1, 77_777],
  [63, 20, 1_000_000],
])('is the same compiled: an exit each %i rounds or so, %i VPIDs', (calls, vpids, slice) => {
  const plain = finish(calls, vpids, false, 1_000_000);
  expect(plain.state.stop).toBe(Stop.halted);
  expect(plain.state.regs[7]).toBe(12);
  expect(plain.left).toBeGreaterThan(10);
  expect(plain.faults).toBeGreaterThan(100);
  const compiled = finish(calls, vpids, true, slice);
  expect(compiled.state).toEqual(plain.state);
  expect(compiled.regions).toBeGreaterThan(1);
});

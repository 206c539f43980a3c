// Several processors: a guest starts them by INIT and start-up messages, lets them add with LOCK, and takes interrupts from
// the PIT through the I/O APIC, from the local timer, and between processors. QEMU with as many processors says the same.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../assembler/assemble.ts';
import { costModel } from '../cost/processors.ts';
import { installed } from '../guests/testing/nasm.ts';
import { loadFlat } from '../images/boot.ts';
import { parseImage } from '../images/load.ts';
import { Recorder } from '../trace/recorder.ts';
import { Stop } from './cpu/cpu.ts';
import { Pc } from './pc.ts';

const SOURCE = `
bits 32
org 0x100000
header:
  dd 0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
  dd header, header, 0, 0, entry
APIC equ 0xfee00000
IOAPIC equ 0xfec00000
entry:
  cld
  mov esp, 0x90000
  lgdt [gdtr]
  jmp 8:.flat
.flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  lidt [idtr]
  ; what CPUID and MSR 1Bh say
  mov eax, 1
  cpuid
  shr edx, 9
  and edx, 1
  mov eax, edx
  call print
  mov ecx, 0x1b
  rdmsr
  call print
  mov dword [APIC + 0xf0], 0x1ff
  mov eax, [APIC + 0x20]
  call print
  ; the others begin at 8000h
  mov esi, trampoline
  mov edi, 0x8000
  mov ecx, trampoline_end - trampoline
  rep movsb
  mov dword [APIC + 0x300], 0xc4500
  call pause_
  mov dword [APIC + 0x300], 0xc4608
  call pause_
  mov dword [APIC + 0x300], 0xc4608
.others:
  pause
  cmp dword [arrived], OTHERS
  jne .others
  mov eax, [arrived]
  call print
  mov dword [go], 1
.done:
  pause
  cmp dword [done], OTHERS
  jne .done
  mov eax, [sum]
  call print
  ; the PIT through input 2 of the I/O APIC, with the PIC pair masked
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov dword [IOAPIC], 0x15
  mov dword [IOAPIC + 16], 0
  mov dword [IOAPIC], 0x14
  mov dword [IOAPIC + 16], 0x40
  mov al, 0x34
  out 0x43, al
  mov al, 0xa9
  out 0x40, al
  mov al, 0x04
  out 0x40, al
  sti
.ticks:
  hlt
  cmp dword [ticks], 5
  jb .ticks
  mov dword [IOAPIC], 0x14
  mov dword [IOAPIC + 16], 0x10000
  mov eax, 0x11
  call print
  ; the local timer
  mov dword [APIC + 0x3e0], 3
  mov dword [APIC + 0x320], 0x20041
  mov dword [APIC + 0x380], 20000
.timer:
  hlt
  cmp dword [timers], 3
  jb .timer
  mov dword [APIC + 0x380], 0
  mov eax, 0x22
  call print
  ; an interrupt to all the others, which wait in HLT
  mov dword [APIC + 0x300], 0xc4042
.messages:
  pause
  cmp dword [messages], OTHERS
  jne .messages
  mov eax, [messages]
  call print
  ; and one to itself
  cli
  mov dword [APIC + 0x300], 0x40042
  sti
  nop
  nop
.itself:
  cmp dword [messages], OTHERS + 1
  jne .itself
  mov eax, [APIC + 0x100 + 0x20]      ; nothing is in service
  call print
  mov dx, 0x3fd
.sent:
  in al, dx
  test al, 0x40
  jz .sent
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax
.end:
  hlt
  jmp .end

pause_:
  mov ecx, 200000
.loop:
  pause
  loop .loop
  ret
put:
  push edx
  push eax
  mov dx, 0x3fd
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  pop eax
  mov dx, 0x3f8
  out dx, al
  pop edx
  ret
print:
  pushad
  mov ecx, 8
.digit:
  rol eax, 4
  push eax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .put
  add al, 'a' - '0' - 10
.put:
  call put
  pop eax
  loop .digit
  mov al, 10
  call put
  popad
  ret

on_tick:
  lock inc dword [ticks]
  mov dword [APIC + 0xb0], 0
  iret
on_timer:
  lock inc dword [timers]
  mov dword [APIC + 0xb0], 0
  iret
on_message:
  lock inc dword [messages]
  mov dword [APIC + 0xb0], 0
  iret

; where the other processors begin, at 8000h in real mode
trampoline:
bits 16
  cli
  xor ax, ax
  mov ds, ax
  lgdt [0x8000 + local_gdtr - trampoline]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:other
local_gdtr:
  dw 23
  dd gdt
trampoline_end:
bits 32
other:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  lidt [idtr]
  mov dword [APIC + 0xf0], 0x1ff
  mov ebx, [APIC + 0x20]
  shr ebx, 24
  mov esp, ebx
  shl esp, 12
  add esp, 0x20000
  lock inc dword [arrived]
.wait:
  pause
  cmp dword [go], 0
  je .wait
  inc ebx
  mov ecx, 1000
.add:
  lock add [sum], ebx
  loop .add
  lock inc dword [done]
  sti
.sleep:
  hlt
  jmp .sleep

align 8
gdt:
  dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:
  dw 23
  dd gdt
idtr:
  dw 0x43 * 8 - 1
  dd idt
arrived: dd 0
go: dd 0
sum: dd 0
done: dd 0
ticks: dd 0
timers: dd 0
messages: dd 0
align 8
idt:
  times 0x40 dq 0
  dw on_tick - header, 8, 0x8e00, 0x10
  dw on_timer - header, 8, 0x8e00, 0x10
  dw on_message - header, 8, 0x8e00, 0x10
`;

function guest(processors: number): Uint8Array {
  const source = `OTHERS equ ${processors - 1}\n${SOURCE}`;
  const { bytes, diagnostics } = assemble((name) => (name === 'smp.asm' ? source : undefined), 'smp.asm');
  expect(diagnostics).toEqual([]);
  return bytes;
}

function onRingside(processors: number) {
  const pc = new Pc(costModel('prescott'), new Recorder(64), 16 << 20, {
    startDate: '2005-08-23T09:41:00',
    apic: true,
    processors,
  });
  loadFlat(
    parseImage(guest(processors), 'smp'),
    { commandLine: '', modules: [] },
    pc.memory,
    pc.memory.size,
    pc.cpu,
  );
  let serial = '';
  pc.board.serial.onTransmit = (byte) => {
    serial += String.fromCharCode(byte);
  };
  const limit = 2 * pc.clock.frequency;
  while (pc.board.state === 'on' && pc.cpu.cycles < limit) {
    const stop = pc.run(limit);
    if (stop === Stop.shutdown)
      throw new Error(`shutdown at ${pc.processors.running.instructionStart.toString(16)} after\n${serial}`);
    if (stop === Stop.halted)
      while (!pc.processors.interruptDue() && pc.cpu.cycles < limit) pc.passTime(limit);
  }
  const cycles = pc.processors.all.map((cpu) => cpu.cycles);
  const instructions = pc.processors.all.map((cpu) => cpu.instructions);
  return { serial, off: pc.board.state === 'off', cycles, instructions };
}

const expected = (processors: number): string => {
  let sum = 0;
  for (let id = 1; id < processors; id++) sum += (id + 1) * 1000;
  return [1, 0xfee00900, 0, processors - 1, sum, 0x11, 0x22, processors - 1, 0]
    .map((v) => `${v.toString(16).padStart(8, '0')}\n`)
    .join('');
};

describe.each([1, 2, 4])('%d processors', (processors) => {
  it('start, add, and are interrupted by timers and by each other', () => {
    const run = onRingside(processors);
    expect(run.serial).toBe(expected(processors));
    expect(run.off).toBe(true);
  });

  it.skipIf(!installed('qemu-system-i386'))(
    'do the same on QEMU (skipped without qemu-system-i386)',
    () => {
      const file = join(mkdtempSync(join(tmpdir(), 'ringside-smp-')), 'guest');
      writeFileSync(file, guest(processors));
      const run = spawnSync(
        'qemu-system-i386',
        ['-smp', `${processors}`, '-m', '16', '-kernel', file, '-no-reboot'].concat(
          '-display none -monitor none -serial stdio'.split(' '),
        ),
        { encoding: 'latin1', timeout: 60_000 },
      );
      expect(run.stdout.replaceAll('\r', '')).toBe(expected(processors));
    },
    70_000,
  );
});

it('the same machine always does the same', () => {
  expect(onRingside(4)).toEqual(onRingside(4));
});

it('can be stepped: the processor whose time is the earliest goes first', () => {
  const pc = new Pc(costModel('prescott'), new Recorder(64), 16 << 20, {
    startDate: '2005-08-23T09:41:00',
    processors: 3,
  });
  loadFlat(parseImage(guest(3), 'smp'), { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
  while (pc.processors.all.some((cpu) => cpu.instructions === 0)) pc.run(pc.cpu.cycles + 100_000);
  const before = pc.processors.all.map((cpu) => cpu.instructions);
  for (let n = 0; n < 30_000; n++) pc.step();
  const { all } = pc.processors;
  for (const n of [0, 1, 2]) expect(all[n].instructions).toBeGreaterThan(before[n]);
  const cycles = all.map((cpu) => cpu.cycles);
  expect(Math.max(...cycles) - Math.min(...cycles)).toBeLessThan(10_000);
});

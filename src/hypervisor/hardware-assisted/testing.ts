// For the tests of this room: a host with one or more guests under VT-x, and the frame around a small multiboot kernel.

import { describe } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { hasNasm, nasm } from '../../machine/cpu/test-machine.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind, Vendor } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { NativeHost } from '../native/native-host.ts';
import { type LoopEnd, RunLoop } from '../run-loop.ts';
import type { BootOptions } from '../technique.ts';
import { HardwareAssisted } from './hardware-assisted.ts';
import './provide.ts';
import type { VtxOptions } from './vmcs.ts';

/** A multiboot kernel at 1 MiB around `body`, with a stack, and macros to print, to end, and to build tables. NASM's dialect. */
export const kernel = (body: string): string => `
        bits 32
        org 0x100000
start:  dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), start, start, 0, bss_end, entry
%macro put 1                    ; one character to the debug port
        mov al, %1
        out 0xe9, al
%endmacro
%macro off 0                    ; ACPI power-off
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
%endmacro
%macro gate 2                   ; interrupt gate: vector, handler
        mov eax, %2
        mov word [idt + %1 * 8], ax
        mov word [idt + %1 * 8 + 2], 8
        mov word [idt + %1 * 8 + 4], 0x8e00
        shr eax, 16
        mov word [idt + %1 * 8 + 6], ax
%endmacro
entry:  mov esp, stack_end
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        jmp 8:reloaded
reloaded:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
${body}
        align 8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_end:
gdt_pointer: dw gdt_end - gdt - 1
        dd gdt
idt_pointer: dw 0x7ff
        dd idt
        align 4096
image_end:
        absolute image_end
idt:    resb 4096
directory: resb 4096
table:  resb 4096
stack:  resb 8192
stack_end:
bss_end:
`;

/** Maps the first 4 MiB one to one through `directory` and `table`, writable, and switches paging and write protection on. */
export const PAGING = `
        mov edi, table
        mov eax, 3
%%fill: mov [edi], eax
        add edi, 4
        add eax, 4096
        cmp edi, table + 4096
        jb %%fill
        mov dword [directory], table + 3
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
`.replaceAll('%%fill', 'fill_table');

/** A host under the hypervisor. */
export class TestHost {
  readonly recorder = new Recorder(1 << 14);
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly loop: RunLoop;
  readonly technique: HardwareAssisted;

  /** @param processor `nehalem` has nested paging */
  constructor(memoryMiB = 32, technique: VtxOptions = {}, processor = 'prescott') {
    this.pc = new Pc(costModel(processor), this.recorder, memoryMiB << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    this.hypervisor = new Hypervisor(this.pc);
    this.loop = new RunLoop(this.hypervisor);
    this.technique = new HardwareAssisted(this.hypervisor, technique);
  }

  /** Boots an image as a new domain. */
  boot(image: Uint8Array, id = 1, memoryMiB = 4, options: Partial<BootOptions> = {}): Domain {
    return this.hypervisor.createDomain({
      id,
      name: `guest ${id}`,
      technique: this.technique,
      memoryBytes: memoryMiB << 20,
      image: parseImage(image, 'test'),
      options: { commandLine: '', modules: [], ...options },
    });
  }

  /** Runs until all domains have ended, nothing will ever happen, or `cycles` are over. */
  run(cycles = 50_000_000): LoopEnd {
    const until = this.pc.cpu.cycles + cycles;
    let end: LoopEnd = 'budget';
    while (end === 'budget' && this.pc.cpu.cycles < until) {
      end = this.loop.run(until);
      if (![...this.hypervisor.domains.values()].some((domain) => domain.alive)) break;
    }
    return end;
  }

  /** Exits of a domain so far, by basic reason. */
  exits(domain: number): Map<number, number> {
    return new Map(
      this.recorder
        .exitCounts(domain)
        .filter((x) => x.vendor === Vendor.vmx)
        .map((x) => [x.reason, x.count]),
    );
  }

  /** Recorded events of a kind, oldest first. */
  events(kind: keyof typeof Kind, domain = 1) {
    const found = [];
    for (let seq = this.recorder.oldest; seq < this.recorder.next; seq++) {
      const event = this.recorder.get(seq)!;
      if (event.kind === Kind[kind] && event.domain === domain) found.push(event);
    }
    return found;
  }
}

/** Characters that a guest wrote to port E9h. */
export const said = (domain: Domain): string => String.fromCharCode(...domain.board!.takeDebug());

/** `describe`, or a skip that says why. */
export const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of VT-x guests are skipped');

/** Where the small kernels go when something is wrong: they end up saying nothing. */
const HANG = `
hang:   hlt
        jmp hang
`;

/** Assembles one of the small kernels. */
export const build = (body: string): Uint8Array => nasm(kernel(`${body}\n${HANG}`));

/** Boots a small kernel on a host of its own, lets it run, and tells what came of it. */
export function runKernel(body: string, options: { cycles?: number; technique?: VtxOptions } = {}) {
  const host = new TestHost(32, options.technique);
  const domain = host.boot(build(body));
  host.run(options.cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

/** Silicon and paging that a guest can have under this technique. */
export const WAYS = [
  { processor: 'prescott', paging: 'shadow' },
  { processor: 'nehalem', paging: 'shadow' },
  { processor: 'nehalem', paging: 'nested' },
] as const;
export type Way = (typeof WAYS)[number];

/** Boots a small kernel under VT-x in one of the ways. */
export function runWay(body: string, { processor, paging }: Way, cycles?: number) {
  const host = new TestHost(32, {}, processor);
  const domain = host.boot(build(body), 1, 4, { paging });
  host.run(cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

/** What a small kernel says on the bare machine. */
export function runNative(body: string, cycles = 50_000_000): string {
  const pc = new Pc(costModel('prescott'), new Recorder(1024), 4 << 20, { startDate: '2005-12-05T10:00:00' });
  const native = new NativeHost(pc, 1, 'test', parseImage(build(body), 'test'), {
    commandLine: '',
    modules: [],
  });
  while (pc.cpu.cycles < cycles && native.run(cycles) === 'budget' && native.guest.state === 'running');
  return String.fromCharCode(...pc.board.takeDebug());
}

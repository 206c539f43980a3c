// For the tests of this room: a host with small kernels ported to Xen, assembled by our own assembler from the include file
// that all our guests use (src/guests/include/xen.inc), and a look at what the hypervisor shares with them.
import { fileURLToPath } from 'node:url';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import { costModel } from '../../cost/processors.ts';
import type { Image } from '../../images/image.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind, type TraceEvent } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { type LoopEnd, RunLoop } from '../run-loop.ts';
import type { BootOptions } from '../technique.ts';
import { Paravirtualization } from './paravirtualization.ts';
import './provide.ts';
import type { PvDomain } from './pv-domain.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

/**
 * A Xen kernel around `body`. Macros: `put 'x'` prints, `off` shuts down, `crash` says that it went wrong, `handle VECTOR,
 * LABEL` registers one exception handler, `ask NUMBER` is a hypercall. EBP holds start_info at the start; the stack is there.
 */
export const kernel = (body: string): string => `
%include "include/xen.inc"
        xen_guest "test", "1", start
%macro ask 1
        hypercall HYPERVISOR_%1
%endmacro
%macro put 1
        pushad
        mov byte [character], %1
        mov ebx, CONSOLEIO_write
        mov ecx, 1
        mov edx, character
        hypercall HYPERVISOR_console_io
        popad
%endmacro
%macro shutdown 1
        mov dword [argument], %1
        mov ebx, SCHEDOP_shutdown
        mov ecx, argument
        hypercall HYPERVISOR_sched_op
%endmacro
%macro off 0
        shutdown SHUTDOWN_poweroff
%endmacro
%macro crash 0
        shutdown SHUTDOWN_crash
%endmacro
%macro handle 2
        mov byte [trap_entry], %1
        mov dword [trap_entry + 4], %2
        mov ebx, trap_entry
        hypercall HYPERVISOR_set_trap_table
%endmacro
start:  cld
        mov esp, stack_top
        mov ebp, esi
${body}
        crash
        align 4, db 0
trap_entry:
        db 0, 0
        dw FLAT_RING1_CS
        dd 0
        dd 0, 0
argument: dd 0
character: db 0
        section .bss
        resb 4096
stack_top:
        xen_guest_end
`;

/** Assembles a kernel. */
export function build(body: string): Image {
  const assembly = assemble(new Map([...sources, ['test.asm', kernel(body)]]), 'test.asm', {
    includePaths: [''],
  });
  const error = assembly.diagnostics.find((d) => d.severity === 'error');
  if (error) throw new Error(`line ${error.line}: ${error.message}`);
  return parseImage(assembly.bytes, 'test');
}

/** The same kernel as one that wants three-level page tables: our kernels leave to Xen what it builds for them. */
export function withPae(image: Image): Image {
  if (!image.xen) throw new Error(`${image.name} is no Xen kernel`);
  return { ...image, xen: { ...image.xen, pae: true, paeMode: 'yes' } } as Image;
}

/** A host whose guests are paravirtualized. */
export class PvHost {
  readonly recorder = new Recorder(1 << 14);
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly technique: Paravirtualization;
  readonly loop: RunLoop;

  constructor(memoryMiB = 16) {
    this.pc = new Pc(costModel('prescott'), this.recorder, memoryMiB << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    this.hypervisor = new Hypervisor(this.pc);
    this.technique = new Paravirtualization(this.hypervisor);
    this.loop = new RunLoop(this.hypervisor);
  }

  boot(image: Image, id = 1, options: Partial<BootOptions> & { memoryMiB?: number } = {}): Domain {
    return this.hypervisor.createDomain({
      id,
      name: `guest ${id}`,
      technique: this.technique,
      memoryBytes: (options.memoryMiB ?? 4) << 20,
      image,
      options: {
        commandLine: options.commandLine ?? '',
        modules: options.modules ?? [],
        ...(options.vcpus ? { vcpus: options.vcpus } : {}),
      },
    });
  }

  /** Runs until all domains have ended, nothing will ever happen, or `cycles` are over. */
  run(cycles = 20_000_000): LoopEnd {
    const until = this.hypervisor.now + cycles;
    let end: LoopEnd = 'budget';
    while (end === 'budget' && this.hypervisor.now < until) {
      end = this.loop.run(Math.min(until, this.hypervisor.now + 200_000));
      if (![...this.hypervisor.domains.values()].some((domain) => domain.alive)) break;
    }
    return end;
  }

  /** What the hypervisor keeps about a domain. */
  kept(domain: Domain): PvDomain {
    return (this.technique as unknown as { guests: Map<Domain, PvDomain> }).guests.get(domain)!;
  }

  /** The word at a linear address of the guest, through its page tables. */
  word(domain: Domain, linear: number): number {
    const machine = this.technique.translate(domain.vcpus[0], linear);
    if (machine < 0) throw new Error(`${(linear >>> 0).toString(16)}h is not mapped`);
    return this.pc.memory.read32(machine) >>> 0;
  }

  /** Recorded events of a kind, oldest first. */
  events(kind: keyof typeof Kind, domain?: number): TraceEvent[] {
    const found: TraceEvent[] = [];
    for (let seq = this.recorder.oldest; seq < this.recorder.next; seq++) {
      const event = this.recorder.get(seq)!;
      if (event.kind === Kind[kind] && (domain === undefined || event.domain === domain)) found.push(event);
    }
    return found;
  }
}

/** Boots one kernel on a host of its own, lets it run, and tells what came of it. */
export function runKernel(
  body: string,
  options: Parameters<PvHost['boot']>[2] & { cycles?: number; pae?: boolean } = {},
) {
  const host = new PvHost();
  const image = build(body);
  const domain = host.boot(options.pae ? withPae(image) : image, 1, options);
  const end = host.run(options.cycles);
  return { host, domain, end, text: domain.consoleOutput, kept: host.kept(domain) };
}

// Why a crossing happened: the rule behind each exit reason, in our words, with the manual's section. Read by explanations.
import { Kind, type TraceEvent, Vendor } from '../trace/events.ts';
import { exitName } from '../trace/exits.ts';

export interface Rule {
  why: string;
  manual: string;
}

const VMX: Record<number, Rule> = {
  0: {
    why: 'The exception bitmap in the VMCS has the bit of this vector set, so the exception leaves the guest before its own handler sees it. For #PF that is what makes shadow paging possible: the hypervisor decides whether the page is missing in the guest’s tables or only in the shadow.',
    manual: 'SDM 3C §25.2, §24.6.3',
  },
  1: {
    why: 'External-interrupt exiting is on: a hardware interrupt belongs to the hypervisor, whatever the guest’s IF says.',
    manual: 'SDM 3C §25.2, §24.6.1',
  },
  2: {
    why: 'A fault while delivering a double fault. A bare processor would shut down; in VMX non-root operation it leaves to the hypervisor.',
    manual: 'SDM 3C §25.2',
  },
  7: {
    why: 'The hypervisor asked to be told as soon as the guest can take an interrupt (IF=1 and no shadow), because one is waiting.',
    manual: 'SDM 3C §25.2, §24.6.2',
  },
  10: {
    why: 'CPUID leaves unconditionally, so that the hypervisor can say which processor the guest has.',
    manual: 'SDM 3C §25.1.2',
  },
  12: {
    why: 'HLT exiting is on: a waiting guest must not stop the processor that others share.',
    manual: 'SDM 3C §25.1.3',
  },
  13: { why: 'INVD leaves unconditionally.', manual: 'SDM 3C §25.1.2' },
  14: {
    why: 'INVLPG exiting is on: the shadow of the page must be dropped with the translation.',
    manual: 'SDM 3C §25.1.3',
  },
  16: { why: 'RDTSC exiting is on.', manual: 'SDM 3C §25.1.3' },
  18: { why: 'VMCALL always leaves: it is how a guest calls its hypervisor.', manual: 'SDM 3C §25.1.2' },
  28: {
    why: 'A control register is shared between guest and hypervisor. MOV CR3 leaves on first-generation VT-x always; CR0 and CR4 leave when a bit that the guest/host mask keeps would change.',
    manual: 'SDM 3C §25.1.3, §24.6.6',
  },
  29: { why: 'MOV-DR exiting is on.', manual: 'SDM 3C §25.1.3' },
  30: {
    why: 'The port is not the guest’s: unconditional I/O exiting or the I/O bitmap says so, and the device is emulated.',
    manual: 'SDM 3C §25.1.3, §24.6.4',
  },
  31: { why: 'RDMSR leaves: there is no MSR bitmap, or it names this register.', manual: 'SDM 3C §25.1.3' },
  32: { why: 'WRMSR leaves: there is no MSR bitmap, or it names this register.', manual: 'SDM 3C §25.1.3' },
};

const XEN: Record<number, Rule> = {
  130: {
    why: 'The guest’s kernel called the hypervisor: INT 82h through a gate that only ring 1 may use, with the number in EAX.',
    manual: 'Xen public headers, arch-x86_32.h',
  },
  13: {
    why: 'A ring-1 kernel executed an instruction that only ring 0 may, or an INT whose gate it may not use. The processor raised #GP into the hypervisor.',
    manual: 'SDM 3A §5.9; Xen emulate_privileged_op',
  },
  14: {
    why: 'Page faults always go through the hypervisor: only it may read CR2, and the fault may be its own business.',
    manual: 'Barham et al. 2003, §3.3.1',
  },
};

/** Traps of a deprivileged kernel that has not been ported: the gates of the monitor's IDT. */
const TRAP: Record<number, Rule> = {
  1: {
    why: 'A debug exception. Mostly the monitor set the trap flag itself for one instruction: to let a write through to a page that it watches, or to give an interrupt its place behind STI.',
    manual: 'SDM 3B §17.3.2',
  },
  13: {
    why: 'The guest’s kernel believes to be in ring 0 and is in ring 1: an instruction that only ring 0 may execute raised #GP, and so did a selector or a gate that ring 0 could have used. The monitor does on the virtual processor what the instruction would have done.',
    manual: 'SDM 3A §5.9; Popek & Goldberg 1974',
  },
  14: {
    why: 'The processor walks the monitor’s shadow tables. The fault is the monitor’s own when only the shadow lacks the page, else the guest’s.',
    manual: 'SDM 3A §4.7, SDM 3C §31.3',
  },
};

/** Rules of techniques that are loaded when somebody wants them, by vendor. */
export const exitRules: Partial<Record<number, (e: TraceEvent) => Rule>> = {};

/** The rule for an event that crosses a boundary, or for what follows from one. */
export function ruleOf(e: TraceEvent): Rule {
  switch (e.kind) {
    case Kind.exit:
      if (exitRules[e.e]) return exitRules[e.e]!(e);
      if (e.e === Vendor.vmx)
        return (
          VMX[e.a & 0xffff] ?? {
            why: `The VMCS controls make ${exitName(e.e, e.a)} leave the guest.`,
            manual: 'SDM 3C §25',
          }
        );
      if (e.a >= 0x20 && e.a < 0x30)
        return {
          why: 'A hardware interrupt: every vector of the processor’s IDT leads into the hypervisor, which runs at ring 0.',
          manual: 'Barham et al. 2003, §3.3',
        };
      if (e.e === Vendor.trap)
        return (
          TRAP[e.a] ?? {
            why: 'An exception or INT n: every gate of the processor’s IDT leads into the monitor, which delivers the event through the guest’s own IDT.',
            manual: 'SDM 3A §6.10–6.14',
          }
        );
      return (
        XEN[e.a] ?? {
          why: 'An exception: every gate of the processor’s IDT leads into the hypervisor, which hands it on to the handler that the guest registered.',
          manual: 'Barham et al. 2003, §3.3.1',
        }
      );
    case Kind.interrupt:
      if (e.e & 1)
        return {
          why: 'A hardware interrupt was accepted: IF was 1, and the gate of its vector in the IDT was taken.',
          manual: 'SDM 3A §6.8, §6.12',
        };
      if (e.e & 2)
        return {
          why: 'INT n through a gate whose DPL admits the caller’s ring. With a ring change the stack comes from the TSS.',
          manual: 'SDM 3A §6.12',
        };
      return {
        why: 'The instruction raised an exception; the processor went through the gate of its vector.',
        manual: 'SDM 3A §6.12, §6.15',
      };
    case Kind.ring:
      return {
        why: 'A return to an outer ring: CS and SS carry the ring to go to, and the processor checks that it is not inward.',
        manual: 'SDM 3A §6.12.1, §5.8.6',
      };
    case Kind.entry:
      return {
        why: 'The hypervisor has done its work and lets the guest go on.',
        manual: 'SDM 3C §26; Barham et al. 2003, §3.3',
      };
    case Kind.hypercall:
      return {
        why: 'Asking is cheaper than being caught: one call, checked, instead of many traps.',
        manual: 'Barham et al. 2003, §3.1',
      };
    case Kind.pageTable:
      return {
        why: 'Page tables are read-only to a paravirtualized guest. Each change is checked: only the guest’s own frames, never a writable mapping of a page table.',
        manual: 'Barham et al. 2003, §3.3.3',
      };
    case Kind.shadow:
      return {
        why: 'The processor walks the shadow table, never the guest’s. The shadow holds machine addresses and is filled as pages are touched.',
        manual: 'SDM 3C §31.3 (virtual TLB)',
      };
    case Kind.upcall:
      return {
        why: 'An event is pending and the guest’s mask (its virtual IF) is open: the hypervisor calls the handler that the guest registered.',
        manual: 'Barham et al. 2003, §3.2',
      };
    case Kind.hole:
      return {
        why: 'This instruction reads or changes privileged state but does not trap outside ring 0. Nobody is told; the guest just gets the wrong answer.',
        manual: 'Robin & Irvine 2000; Popek & Goldberg 1974',
      };
    case Kind.schedule:
      return {
        why: 'One physical processor, several virtual ones: the scheduler gave it to another.',
        manual: 'Barham et al. 2003, §3.3.1',
      };
    default:
      return { why: '', manual: '' };
  }
}

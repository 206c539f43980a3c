// Why something left an SVM guest: the rule behind each exit code, in our words, with the manual's section.
import type { TraceEvent } from '../trace/events.ts';
import { exitName } from '../trace/exits.ts';
import type { Rule } from './rules.ts';

const apm = (section: string): string => `APM 2 §${section}`;

const RULES: Record<number, Rule> = {
  78: {
    why: 'The VMCB intercepts #PF. The processor walks the hypervisor’s shadow tables, so the fault may be the shadow’s own lack or the guest’s; the hypervisor finds out which.',
    manual: apm('15.12.15, §15.24'),
  },
  96: {
    why: 'INTR is intercepted, and V_INTR_MASKING makes the host’s IF decide: a hardware interrupt belongs to the hypervisor, which takes it after STGI.',
    manual: apm('15.13.1, §15.21.1'),
  },
  100: {
    why: 'An interrupt of the virtual board waits. The hypervisor set V_IRQ and intercepts VINTR, so that the guest leaves the moment it could take one.',
    manual: apm('15.21.4'),
  },
  101: {
    why: 'Selective intercept: a write of CR0 that changes more than TS and MP. Those two the guest changes without asking.',
    manual: apm('15.9'),
  },
  110: { why: 'RDTSC is intercepted.', manual: apm('15.9') },
  114: {
    why: 'CPUID is intercepted, so that the hypervisor can say which processor the guest has.',
    manual: apm('15.9'),
  },
  118: { why: 'INVD is intercepted: it would lose what others have in the caches.', manual: apm('15.9') },
  120: {
    why: 'HLT is intercepted: a waiting guest must not stop the processor that others share.',
    manual: apm('15.9'),
  },
  121: {
    why: 'INVLPG is intercepted: the shadow of the page must be dropped with the translation. The first generation does not say which page, so the hypervisor reads the instruction.',
    manual: apm('15.9'),
  },
  123: {
    why: 'The port’s bit in the I/O permission map is set: the device is emulated. EXITINFO1 describes the access, EXITINFO2 is the next RIP.',
    manual: apm('15.10'),
  },
  124: { why: 'The register’s bit in the MSR permission map is set.', manual: apm('15.11') },
  125: {
    why: 'A task switch would load CR3, which is the hypervisor’s with shadow paging.',
    manual: apm('15.14.1'),
  },
  127: {
    why: 'A fault while delivering a double fault. A bare processor would shut down; the guest leaves to the hypervisor.',
    manual: apm('15.14.3'),
  },
  129: { why: 'VMMCALL is how a guest calls its hypervisor.', manual: apm('15.9') },
  1024: {
    why: 'The nested tables have no page for this guest-physical address, or forbid the access.',
    manual: apm('15.25.6'),
  },
  [-1]: { why: 'VMRUN looked at the VMCB and found state that no guest can have.', manual: apm('15.5.1') },
};

const CR_READ: Rule = {
  why: 'SVM has no read shadows: as long as the guest must not see what the processor really holds in this control register, reads of it are intercepted.',
  manual: apm('15.8.1'),
};
const CR_WRITE: Rule = {
  why: 'Writes of this control register are intercepted: the guest’s value is recorded, the processor’s is the hypervisor’s choice.',
  manual: apm('15.8.1'),
};
const EXCEPTION: Rule = {
  why: 'The exception’s bit in the VMCB is set, so it leaves the guest before its own handler sees it, and is injected again: so a chain of faults can be told.',
  manual: apm('15.12'),
};

/** The rule behind an exit. */
export function svmRule(e: TraceEvent): Rule {
  const rule = RULES[e.a];
  if (rule) return rule;
  if (e.a >= 0 && e.a < 0x10) return CR_READ;
  if (e.a < 0x20) return CR_WRITE;
  if (e.a >= 0x40 && e.a < 0x60) return EXCEPTION;
  return { why: `The VMCB intercepts ${exitName(e.e, e.a)}.`, manual: apm('15.7') };
}

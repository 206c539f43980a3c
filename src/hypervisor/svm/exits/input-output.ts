// IOIO (APM vol. 2 §15.10.2): every port of the guest belongs to its virtual board. EXITINFO1 says what the access is and
// EXITINFO2 where the next instruction begins; only the segment of OUTS has to be read from the instruction itself.
import { watchPort } from '../../../machine/cpu/debug.ts';
import { DF } from '../../../machine/cpu/flags.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import { ES } from '../../../machine/isa/instruction.ts';
import { endWhenPoweredOff } from '../../platform/pc-guest.ts';
import { type PortSize, portAccess, StringEnd, stringAccess } from '../../platform/port-io.ts';
import type { Resume } from '../../technique.ts';
import type { ExitContext } from './context.ts';

const IN = 1;
const STRING = 4;
const REP = 8;
const ADDRESS_32 = 0x100;

export function inputOutput(c: ExitContext): Resume {
  const info = c.exit.qualification;
  const size = ((info >>> 4) & 7) as PortSize;
  const port = info >>> 16;
  if (info & STRING) {
    const resume = stringForm(c, port, size, info);
    return endWhenPoweredOff(c.guest) ? 'ended' : resume;
  }
  portAccess(c.guest, port, size, (info & IN) !== 0);
  return endWhenPoweredOff(c.guest) ? 'ended' : behind(c, port, size);
}

/** An access that leaves is not matched by the silicon’s breakpoints on ports (CR4.DE). */
function behind(c: ExitContext, port: number, size: number): Resume {
  const { guest, hypervisor } = c;
  const dr7 = guest.vmcb.get(V.dr7);
  // Mostly no breakpoint is enabled at all.
  if ((dr7 & 0xff) === 0) return c.goTo(c.exit.detail);
  const seen = { dr: [...hypervisor.cpu.dr], cr4: guest.control.cr4, pendingDebug: 0, attention: 0 };
  seen.dr[7] = dr7;
  watchPort(seen, port, size);
  return c.goTo(c.exit.detail, seen.pendingDebug);
}

function stringForm(c: ExitContext, port: number, size: PortSize, info: number): Resume {
  const { guest } = c;
  const input = (info & IN) !== 0;
  let segment: number = ES;
  if (!input) {
    const i = c.instruction();
    if (i === null) return 'enter';
    segment = i.segment;
    guest.saveExtra();
  } else c.emulation();
  const end = stringAccess(guest, {
    port,
    size,
    input,
    repeated: (info & REP) !== 0,
    wide: (info & ADDRESS_32) !== 0,
    backward: (guest.vmcb.get(V.rflags) & DF) !== 0,
    base: guest.vmcb.segmentBase(segment),
    user: c.vcpu.cpl === 3,
  });
  if (end === StringEnd.more) return 'enter';
  if (end !== StringEnd.done) return c.raisePageFault(end);
  return behind(c, port, size);
}

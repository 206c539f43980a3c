// Classical trap-and-emulate (Goldberg 1972; Popek & Goldberg 1974) on a processor that was not made for it: the unmodified
// kernel runs at ring 1 on shadow page tables and shadow descriptors, and what is privileged traps and is emulated. What is
// sensitive and does not trap goes silently wrong, as it did on the real thing: nothing here puts it right.
import type { Board } from '../../machine/devices/board.ts';
import type { Instruction } from '../../machine/isa/instruction.ts';
import { Kind } from '../../trace/events.ts';
import { Deprivileged } from '../deprivileged/deprivileged.ts';
import { handleTrap } from '../deprivileged/emulator.ts';
import { DeprivilegedGuest } from '../deprivileged/guest.ts';
import type { Domain, Vcpu } from '../domain.ts';
import type { Exit, Resume } from '../technique.ts';
import { compare } from './watcher.ts';

export class TrapAndEmulate extends Deprivileged<DeprivilegedGuest> {
  readonly name = 'trap-and-emulate';

  protected newGuest(domain: Domain, board: Board): DeprivilegedGuest {
    return new DeprivilegedGuest(this.hypervisor, domain, board);
  }

  handle(vcpu: Vcpu, exit: Exit): Resume {
    return handleTrap(this.of(vcpu.domain), exit);
  }

  watch(vcpu: Vcpu, i: Instruction, got: number, expected: number, operand: number): void {
    const guest = this.of(vcpu.domain);
    const hole = compare(guest, i, got, expected, operand);
    if (!hole) return;
    const { recorder, cpu } = this.hypervisor.pc;
    const { got: had, expected: wanted, faults } = hole;
    recorder.record(Kind.hole, cpu.instructionStart, i.form.id, had, wanted, faults ? 1 : 0);
  }
}

// The integer half of the processor: every unprivileged operation of the instruction table, one binder each.
import { aluExecutors } from './alu.ts';
import { bitExecutors } from './bits.ts';
import { conditionalExecutors } from './conditional.ts';
import { controlExecutors } from './control.ts';
import { dataMovementExecutors } from './data-movement.ts';
import { decimalExecutors } from './decimal.ts';
import { doubleShiftExecutors } from './double-shifts.ts';
import { exchangeExecutors } from './exchange.ts';
import type { Executors } from './executor.ts';
import { flagControlExecutors } from './flag-control.ts';
import { multiplyExecutors } from './multiply.ts';
import { segmentMoveExecutors } from './segment-moves.ts';
import { shiftExecutors } from './shifts.ts';
import { stackExecutors } from './stack.ts';
import { stringExecutors } from './string.ts';
import { unaryExecutors } from './unary.ts';

/** Keys are `Form.operation`. Far transfers, interrupts, ports, flags as a word and system instructions are in system.ts. */
export const integerExecutors: Executors = {
  ...aluExecutors,
  ...unaryExecutors,
  ...multiplyExecutors,
  ...decimalExecutors,
  ...shiftExecutors,
  ...doubleShiftExecutors,
  ...bitExecutors,
  ...dataMovementExecutors,
  ...segmentMoveExecutors,
  ...exchangeExecutors,
  ...stackExecutors,
  ...controlExecutors,
  ...conditionalExecutors,
  ...stringExecutors,
  ...flagControlExecutors,
};

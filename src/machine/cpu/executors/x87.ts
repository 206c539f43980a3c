// The floating-point half of the processor: every x87, MMX, SSE and SSE2 operation of the instruction table,
// one binder each.
import type { Executors } from './executor.ts';
import { packedExecutors } from './packed.ts';
import { sseExecutors } from './sse.ts';
import { x87ArithmeticExecutors } from './x87-arithmetic.ts';
import { x87CompareExecutors } from './x87-compare.ts';
import { x87ControlExecutors } from './x87-control.ts';
import { x87FunctionExecutors } from './x87-functions.ts';
import { x87MoveExecutors } from './x87-moves.ts';

/** Keys are `Form.operation`. */
export const x87Executors: Executors = {
  ...x87ArithmeticExecutors,
  ...x87MoveExecutors,
  ...x87CompareExecutors,
  ...x87FunctionExecutors,
  ...x87ControlExecutors,
  ...packedExecutors,
  ...sseExecutors,
};

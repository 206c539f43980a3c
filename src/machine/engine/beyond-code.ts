// What reaches beyond a region and comes back, by a call of JavaScript in its middle: IN, OUT, MOV CR3, INVLPG; and MOV from
// CR2 and CR3, which the region is given. Only for a supervisor of the bare machine, and what is about paging for one whose
// hypervisor does not intercept it: anybody else is left to the interpreter.
import { EAX, EDX, type Instruction } from '../isa/instruction.ts';
import { type Frame, INVALIDATE, LOAD_CR3, Local, PORT } from './frame.ts';
import { setRegister } from './operands-code.ts';
import { PORT_INPUT, PORT_SIZE_SHIFT } from './ports.ts';
import { given, State } from './state.ts';
import { Op } from './wasm-writer.ts';

/** Leaves where another program than a supervisor runs, or somebody looks on: on the bare machine `watched` is 0. */
function mustOwn(f: Frame, watched: number): void {
  given(f, watched);
  given(f, State.stamp);
  f.code.const(3);
  f.code.op(Op.i32And, Op.i32Or);
  f.leaveHereIf();
}

/** Writes one of `BEYOND` (region.ts). Afterwards `State.disturbed` says whether the region must be left behind it. */
export function reachBeyond(f: Frame, i: Instruction): void {
  switch (i.form.operation) {
    case 'mov-to-cr':
      mustOwn(f, State.pagingWatched);
      loadCr3(f, i);
      break;
    case 'invlpg':
      mustOwn(f, State.pagingWatched);
      invalidate(f, i);
      break;
    default:
      mustOwn(f, State.portsWatched);
      accessPort(f, i);
  }
}

function accessPort(f: Frame, i: Instruction): void {
  const { code } = f;
  const input = i.form.operation === 'in';
  const [data, port] = input ? i.form.operands : [...i.form.operands].reverse();
  const size = data === 'al' ? 8 : i.operandSize;
  const what = (((size >> 3) - 1) << PORT_SIZE_SHIFT) | (input ? PORT_INPUT : 0);
  f.pushLeft();
  code.const((f.assumes.page + f.at) | 0);
  if (port === 'imm8') code.const(what | (i.immediate & 0xff));
  else {
    f.reg(EDX);
    code.const(0xffff);
    code.op(Op.i32And);
    code.const(what);
    code.op(Op.i32Or);
  }
  f.reg(EAX);
  code.call(PORT);
  code.set(Local.t0);
  if (input) setRegister(f, EAX, size, Local.t0);
  f.charge();
}

/** In an address space where that cannot fault. */
function loadCr3(f: Frame, { rm, length }: Instruction): void {
  const { code } = f;
  f.pushLeft();
  code.const((f.assumes.page + f.at + length) | 0);
  code.const(length);
  f.reg(rm);
  code.call(LOAD_CR3);
  code.const(0);
  code.op(Op.i32LtS);
  f.leaveHereIf();
  f.charge();
  f.forgetPages();
}

function invalidate(f: Frame, i: Instruction): void {
  const { code, assumes } = f;
  if (!assumes.uses.includes(i.segment)) assumes.uses.push(i.segment);
  f.address(i);
  if (assumes.bases[i.segment] !== 0) {
    code.const(assumes.bases[i.segment] | 0);
    code.op(Op.i32Add);
  }
  code.call(INVALIDATE);
  code.op(Op.drop);
  f.forgetPages();
}

/** MOV from CR2 or CR3. */
export function lowerControlRead(f: Frame, { reg, rm }: Instruction): void {
  mustOwn(f, reg === 2 ? State.cr2Watched : State.pagingWatched);
  given(f, reg === 2 ? State.cr2 : State.cr3);
  f.setReg(rm);
}

// Writes the translation of one block, instruction by instruction, and notes which bytes stand for what.
//
// Every sequence keeps to these rules. (1) Flags change only as the original changes them. (2) Borrowed registers are saved in
// the state page and back before anything of the guest's can fault, so a fault within a sequence finds the guest's registers as
// they were. (3) The last instruction that the guest can see completes the original: a fault before it undoes nothing.
import { DS, ECX, EDX, ES, ESP, FS, type Instruction } from '../../machine/isa/instruction.ts';
import { NO_SELECTOR } from './cache.ts';
import { inCacheEmulation } from './in-cache.ts';
import { CALL_OUT, STATE, selectorAt } from './layout.ts';
import { PartWriter } from './part-writer.ts';
import { CALL_OUT_STUB } from './routines.ts';
import {
  endsBlock,
  isCallOut,
  isTaken,
  opcodeAt,
  tellsCodeAddress,
  throughGs,
  usesTakenSegment,
} from './rules.ts';

const IF = 0x200;
const IOPL = 0x3000;
const SREG: Readonly<Record<string, number>> = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 };
const LOADED: readonly number[] = [ES, DS, FS];

export class BlockWriter extends PartWriter {
  // ---- instructions

  /** @param bytes of the original. @param at its EIP. @param asked it is for the monitor, whatever it is: its accesses trapped too often, or its port is watched */
  instruction(i: Instruction, bytes: Uint8Array, at: number, asked: boolean): void {
    const { operation } = i.form;
    const next = (at + i.length) | 0;
    const emulate = inCacheEmulation(i);
    if (asked) this.callOut(i, at);
    else if (emulate) {
      this.part(at, i, 'in-cache');
      emulate(this.e, i);
    } else if (this.canLoadSegment(i)) this.loadSegment(i, bytes, at);
    else if (isCallOut(i)) this.callOut(i, at);
    else if (operation === 'cli') this.cli(i, at);
    else if (operation === 'sti') this.sti(i, at, next);
    else if (operation === 'pushf') this.pushf(i, at);
    else if (operation === 'popf') this.popf(i, at, next);
    else if (operation === 'mov-from-sreg' && isTaken(i.reg)) this.movFromSreg(i, at);
    else if (operation === 'push-sreg' && isTaken(SREG[i.form.operands[0]])) this.pushSreg(i, at);
    else if (endsBlock(i)) this.transfer(i, bytes, at, next);
    else if (usesTakenSegment(i)) this.throughOwnSegment(i, bytes, at);
    else {
      this.part(at, i, 'identical');
      this.e.byte(...bytes);
    }
    if (tellsCodeAddress(i)) {
      this.part(at, i, 'call-out', false);
      this.e.byte(0xcd, CALL_OUT);
    }
    if (endsBlock(i)) this.ended = true;
  }

  private callOut(i: Instruction, at: number): void {
    this.part(at, i, 'call-out');
    if (i.form.operation === 'into') {
      // JNO behind it.
      this.e.byte(0x71, 2);
    }
    this.e.byte(0xcd, CALL_OUT);
  }

  /** MOV and POP to DS, ES and FS, which hold what the guest believes. */
  private canLoadSegment(i: Instruction): boolean {
    const { operation, operands } = i.form;
    if (operation === 'mov-to-sreg') return LOADED.includes(i.reg) && !usesTakenSegment(i);
    return (
      operation === 'pop-sreg' &&
      LOADED.includes(SREG[operands[0]]) &&
      i.operandSize === 32 &&
      this.stackIsWide
    );
  }

  /**
   * The selector that the monitor allowed last goes straight in; another one is for the monitor to look at, since ring 1 would
   * accept some that ring 0 refuses. (No comparison leaves the flags alone, but LEA and JECXZ do.)
   */
  private loadSegment(i: Instruction, bytes: Uint8Array, at: number): void {
    const { e } = this;
    const part = this.part(at, i, 'in-cache');
    e.save(ECX, STATE.ecx);
    this.selectorToEcx(i, bytes);
    e.byte(0x8d, 0x89);
    part.expects = this.here;
    e.word32(NO_SELECTOR);
    e.byte(0xe3, 0);
    const jump = e.length;
    e.load(ECX, STATE.ecx);
    this.part(at, i, 'call-out', false).expects = part.expects;
    e.byte(0xcd, CALL_OUT);
    e.code[jump - 1] = e.length - jump;
    this.part(at, i, 'in-cache', false);
    e.load(ECX, STATE.ecx);
    e.byte(...bytes);
  }

  /** MOVZX ECX, the selector. */
  private selectorToEcx(i: Instruction, bytes: Uint8Array): void {
    const { e } = this;
    if (i.form.operation === 'pop-sreg') {
      e.byte(0x0f, 0xb7, 0x0c, 0x24);
      return;
    }
    const opcode = opcodeAt(bytes);
    e.byte(...[...bytes.subarray(0, opcode)].filter((byte) => byte !== 0x66 && byte < 0xf0));
    e.byte(0x0f, 0xb7, (bytes[opcode + 1] & 0xc7) | (ECX << 3), ...bytes.subarray(opcode + 2));
  }

  private cli(i: Instruction, at: number): void {
    this.part(at, i, 'in-cache');
    this.e.set(STATE.interruptFlag, 0);
  }

  private sti(i: Instruction, at: number, next: number): void {
    const { e } = this;
    this.part(at, i, 'in-cache');
    e.set(STATE.interruptFlag, IF);
    e.save(ECX, STATE.ecx);
    e.load(ECX, STATE.pending);
    // JECXZ over the window.
    e.byte(0xe3, 0);
    const jump = e.length;
    e.load(ECX, STATE.ecx);
    this.window(next, true);
    e.code[jump - 1] = e.length - jump;
    this.part(at, i, 'in-cache', false);
    e.load(ECX, STATE.ecx);
    this.shadowed = true;
  }

  /** The real image has IF=1 and IOPL=0 always. */
  private pushf(i: Instruction, at: number): void {
    if (i.operandSize === 16 || !this.stackIsWide) {
      this.callOut(i, at);
      return;
    }
    const { e } = this;
    this.part(at, i, 'in-cache');
    e.byte(0x9c);
    e.save(ECX, STATE.ecx);
    e.save(EDX, STATE.edx);
    e.byte(0x8b, 0x0c, 0x24);
    e.load(EDX, STATE.interruptFlag);
    // LEA ECX, [ECX + EDX - IF]
    e.byte(0x8d, 0x8c, 0x11);
    e.word32(-IF);
    e.load(EDX, STATE.ioPrivilege);
    e.byte(0x8d, 0x0c, 0x11);
    e.byte(0x89, 0x0c, 0x24);
    e.load(ECX, STATE.ecx);
    e.load(EDX, STATE.edx);
  }

  /** Flags may change on the way: POPFD sets them all. TF is for the monitor to see. */
  private popf(i: Instruction, at: number, next: number): void {
    if (i.operandSize === 16 || !this.stackIsWide) {
      this.callOut(i, at);
      return;
    }
    const { e } = this;
    this.part(at, i, 'in-cache');
    e.save(ECX, STATE.ecx);
    const image = () => e.byte(0x8b, 0x0c, 0x24);
    image();
    // TEST CH, TF
    e.byte(0xf6, 0xc5, 1);
    this.branch(5, () => {
      this.part(at, i, 'call-out', false);
      e.load(ECX, STATE.ecx);
      e.byte(0xcd, CALL_OUT);
    });
    e.byte(0x81, 0xe1);
    e.word32(IOPL);
    e.save(ECX, STATE.ioPrivilege);
    image();
    e.byte(0x81, 0xe1);
    e.word32(IF);
    e.save(ECX, STATE.interruptFlag);
    // TEST [pending], ECX
    e.gs([0x85], ECX, STATE.pending);
    this.branch(5, () => {
      this.part(at, i, 'in-cache', false);
      e.load(ECX, STATE.ecx);
      e.byte(0x9d);
      this.window(next, false);
    });
    e.load(ECX, STATE.ecx);
    e.byte(0x9d);
  }

  /** CS, SS and GS are the monitor's; what the guest has in them lies in the state page. */
  private movFromSreg(i: Instruction, at: number): void {
    if (i.memory) {
      this.callOut(i, at);
      return;
    }
    this.part(at, i, 'in-cache');
    if (i.operandSize === 16) this.e.byte(0x66);
    this.e.gs([0x8b], i.rm, selectorAt(i.reg));
  }

  private pushSreg(i: Instruction, at: number): void {
    this.part(at, i, 'in-cache');
    if (i.operandSize === 16) this.e.byte(0x66);
    this.e.gs([0xff], 6, selectorAt(SREG[i.form.operands[0]]));
  }

  /** An access through CS or GS: GS becomes for one instruction what the guest has there. */
  private throughOwnSegment(i: Instruction, bytes: Uint8Array, at: number): void {
    this.part(at, i, 'in-cache');
    this.borrowGs(i);
    this.e.byte(...throughGs(bytes));
    this.returnGs();
  }

  // ---- transfers

  private transfer(i: Instruction, bytes: Uint8Array, at: number, next: number): void {
    const narrow = i.operandSize === 16;
    const target = (next + i.immediate) & (narrow ? 0xffff : -1);
    switch (i.form.operation) {
      case 'jcc':
        this.part(at, i, 'identical');
        this.branch(i.form.condition!, (displacement) => this.leadTo(target, displacement));
        this.leadTo(next);
        return;
      case 'jcxz':
      case 'loop':
      case 'loope':
      case 'loopne':
        this.part(at, i, 'identical');
        if (i.addressSize === 16) this.e.byte(0x67);
        this.e.byte(bytes[opcodeAt(bytes)], CALL_OUT_STUB.length);
        this.leadTo(next);
        this.leadTo(target);
        return;
      case 'ret':
        this.ret(i, at);
        return;
      default:
        this.jumpOrCall(i, bytes, at, next, target);
    }
  }

  private jumpOrCall(i: Instruction, bytes: Uint8Array, at: number, next: number, target: number): void {
    const call = i.form.operation === 'call';
    const direct = i.form.operands[0].startsWith('rel');
    if (direct) {
      if (!call) this.part(at, i, 'identical');
      else {
        this.part(at, i, 'in-cache');
        this.push(next, i.operandSize);
      }
      this.leadTo(target);
      return;
    }
    this.part(at, i, 'lookup');
    this.throughPlace(i, bytes, at, call ? next : null);
  }

  /** JMP and CALL to where a register or memory says. @param back what a call pushes */
  private throughPlace(i: Instruction, bytes: Uint8Array, at: number, back: number | null): void {
    const { e } = this;
    const wide = i.operandSize === 32;
    if (!wide || i.memory || i.rm === ESP) {
      this.fetchTarget(i, bytes);
      if (back !== null) this.push(back, i.operandSize);
      if (!wide) {
        this.lookup();
        return;
      }
      e.save(ECX, STATE.ecx);
      e.load(ECX, STATE.target);
      e.byte(0x8d, 0x89);
    } else {
      if (back !== null) this.push(back, i.operandSize);
      e.save(ECX, STATE.ecx);
      // LEA ECX, [register + 0]
      e.byte(0x8d, 0x88 | i.rm);
    }
    const displacement = this.here;
    e.word32(0);
    this.search(i, at, displacement);
  }

  /** What a call pushes is the address in the original. */
  private push(value: number, size: number): void {
    if (size === 16) this.e.byte(0x66, 0x68, value & 0xff, (value >>> 8) & 0xff);
    else {
      this.e.byte(0x68);
      this.e.word32(value);
    }
  }

  /** The operand of an indirect jump or call, zero-extended, into STATE.target. */
  private fetchTarget(i: Instruction, bytes: Uint8Array): void {
    const { e } = this;
    const narrow = i.operandSize === 16;
    if (!i.memory) {
      if (narrow) {
        e.set(STATE.target, 0);
        e.byte(0x66);
      }
      e.save(i.rm, STATE.target);
      return;
    }
    const taken = usesTakenSegment(i);
    e.save(ECX, STATE.ecx);
    if (taken) this.borrowGs(i);
    const source = taken ? throughGs(bytes) : bytes;
    const opcode = opcodeAt(source);
    // The prefixes but for the operand size; MOV or MOVZX to ECX instead of the opcode.
    e.byte(...[...source.subarray(0, opcode)].filter((byte) => byte !== 0x66 && byte < 0xf0));
    const modrm = (source[opcode + 1] & 0xc7) | (ECX << 3);
    e.byte(...(narrow ? [0x0f, 0xb7] : [0x8b]), modrm, ...source.subarray(opcode + 2));
    if (taken) this.returnGs();
    e.save(ECX, STATE.target);
    e.load(ECX, STATE.ecx);
  }

  private ret(i: Instruction, at: number): void {
    const { e } = this;
    this.part(at, i, 'lookup');
    const wide = i.operandSize === 32;
    if (wide) {
      e.save(ECX, STATE.ecx);
      // POP ECX
      e.byte(0x59);
    } else {
      e.set(STATE.target, 0);
      // POP WORD [gs:target]
      e.byte(0x66);
      e.gs([0x8f], 0, STATE.target);
    }
    const drop = i.immediate & 0xffff;
    if (drop && i.form.operands.length > 0) {
      // LEA ESP, [ESP + drop], or SP only.
      if (!this.stackIsWide) e.byte(0x66);
      e.byte(0x8d, 0x84 | (ESP << 3), 0x24);
      e.word32(drop);
    }
    if (!wide) {
      this.lookup();
      return;
    }
    e.byte(0x8d, 0x89);
    const displacement = this.here;
    e.word32(0);
    this.search(i, at, displacement);
  }
}

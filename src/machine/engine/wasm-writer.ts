// Writes WebAssembly (core specification 1.0, §5 "Binary format"): just what compiled regions need. Code goes straight
// into one growing buffer; labels are names, and the writer works out how deep they lie.

/** Opcodes (core specification §5.4). */
export const Op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Load: 0x28,
  i32Load8s: 0x2c,
  i32Load8u: 0x2d,
  i32Load16s: 0x2e,
  i32Load16u: 0x2f,
  f64Load: 0x2b,
  i32Store: 0x36,
  f64Store: 0x39,
  i32Store8: 0x3a,
  i32Store16: 0x3b,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32Ne: 0x47,
  i32LtS: 0x48,
  i32LtU: 0x49,
  i32GtS: 0x4a,
  i32GtU: 0x4b,
  i32LeS: 0x4c,
  i32LeU: 0x4d,
  i32GeS: 0x4e,
  i32GeU: 0x4f,
  i64Eq: 0x51,
  i64Ne: 0x52,
  f64Eq: 0x61,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32DivU: 0x6e,
  i32And: 0x71,
  i32Or: 0x72,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i32ShrS: 0x75,
  i32ShrU: 0x76,
  i32Rotl: 0x77,
  i32Rotr: 0x78,
  i64Mul: 0x7e,
  i64DivS: 0x7f,
  i64DivU: 0x80,
  i64RemS: 0x81,
  i64RemU: 0x82,
  i64Or: 0x84,
  i64Shl: 0x86,
  i64ShrU: 0x88,
  i32WrapI64: 0xa7,
  i64ExtendI32s: 0xac,
  i64ExtendI32u: 0xad,
  i32Extend8s: 0xc0,
  i32Extend16s: 0xc1,
} as const;

export const I32 = 0x7f;
export const I64 = 0x7e;
const FUNCREF = 0x70;
const NO_RESULT = 0x40;

/** One function's code, or any other run of bytes. */
export class Writer {
  private bytes = new Uint8Array(4096);
  length = 0;
  /** Names of the blocks that are open, outermost first. */
  private readonly labels: number[] = [];

  byte(value: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = value;
  }

  /** Unsigned LEB128. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  text(value: string): void {
    this.u32(value.length);
    for (let n = 0; n < value.length; n++) this.byte(value.charCodeAt(n));
  }

  append(other: Writer): void {
    for (let n = 0; n < other.length; n++) this.byte(other.bytes[n]);
  }

  /** What was written, as a copy. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  // Instructions.

  op(...codes: number[]): void {
    for (const code of codes) this.byte(code);
  }
  const(value: number): void {
    this.byte(Op.i32Const);
    this.s32(value);
  }
  get(local: number): void {
    this.byte(Op.localGet);
    this.u32(local);
  }
  set(local: number): void {
    this.byte(Op.localSet);
    this.u32(local);
  }
  tee(local: number): void {
    this.byte(Op.localTee);
    this.u32(local);
  }
  /** `local op constant`, left on the stack. */
  with(local: number, code: number, value: number): void {
    this.get(local);
    this.const(value);
    this.byte(code);
  }
  /** A load or store. @param offset added to the address on the stack */
  memory(code: number, offset = 0): void {
    this.byte(code);
    this.byte(0);
    this.u32(offset);
  }
  call(callee: number): void {
    this.byte(Op.call);
    this.u32(callee);
  }
  /** Calls in place of returning. */
  returnCall(callee: number): void {
    this.byte(Op.returnCall);
    this.u32(callee);
  }
  /** As `returnCall`, by the number in table 0 on the stack. */
  returnCallIndirect(type: number): void {
    this.byte(Op.returnCallIndirect);
    this.u32(type);
    this.u32(0);
  }

  // Structure.

  block(label: number): void {
    this.op(Op.block, NO_RESULT);
    this.labels.push(label);
  }
  loop(label: number): void {
    this.op(Op.loop, NO_RESULT);
    this.labels.push(label);
  }
  if(): void {
    this.op(Op.if, NO_RESULT);
    this.labels.push(-1);
  }
  else(): void {
    this.byte(Op.else);
  }
  end(): void {
    this.byte(Op.end);
    this.labels.pop();
  }
  br(label: number): void {
    this.byte(Op.br);
    this.u32(this.depth(label));
  }
  brIf(label: number): void {
    this.byte(Op.brIf);
    this.u32(this.depth(label));
  }
  /** Jumps by the number on the stack; the last label is for all numbers beyond. */
  brTable(labels: readonly number[]): void {
    this.byte(Op.brTable);
    this.u32(labels.length - 1);
    for (const label of labels) this.u32(this.depth(label));
  }
  private depth(label: number): number {
    const at = this.labels.lastIndexOf(label);
    if (at < 0) throw new Error(`label ${label} is not open`);
    return this.labels.length - 1 - at;
  }
}

/** One function of a module. */
export interface WasmFunction {
  /** Types of parameters; the result is one i32. */
  readonly params: number;
  /** Locals beyond the parameters. */
  readonly i32Locals: number;
  readonly i64Locals: number;
  /** i32 again, behind the others. */
  readonly moreLocals: number;
  readonly code: Writer;
}

/** What a module imports beside the memory `m.m`. */
export interface Imports {
  /** Functions by their names in `m`, and how many parameters they have: these get the first indices. */
  readonly functions?: readonly (readonly [name: string, params: number])[];
  /** Table `m.t` of functions. */
  readonly table?: boolean;
}

/** A module that exports its last function as `f`. Types have the numbers of functions. */
export function moduleOf(
  functions: readonly WasmFunction[],
  { functions: imports = [], table }: Imports = {},
): Uint8Array {
  const imported = imports.length;
  const parameters = [...imports.map(([, params]) => params), ...functions.map((f) => f.params)];
  const out = new Writer();
  out.op(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const section = (id: number, fill: (w: Writer) => void) => {
    const body = new Writer();
    fill(body);
    out.byte(id);
    out.u32(body.length);
    out.append(body);
  };
  section(1, (w) => {
    w.u32(parameters.length);
    for (const count of parameters) {
      w.byte(0x60);
      w.u32(count);
      for (let n = 0; n < count; n++) w.byte(I32);
      w.op(1, I32);
    }
  });
  section(2, (w) => {
    w.u32(1 + imported + (table ? 1 : 0));
    w.text('m');
    w.text('m');
    w.op(2, 0, 1);
    imports.forEach(([name], type) => {
      w.text('m');
      w.text(name);
      w.op(0, type);
    });
    if (table) {
      w.text('m');
      w.text('t');
      w.op(1, FUNCREF, 0, 0);
    }
  });
  section(3, (w) => {
    w.u32(functions.length);
    for (let n = 0; n < functions.length; n++) w.u32(n + imported);
  });
  section(7, (w) => {
    w.u32(1);
    w.text('f');
    w.byte(0);
    w.u32(functions.length - 1 + imported);
  });
  section(10, (w) => {
    w.u32(functions.length);
    for (const f of functions) {
      const body = new Writer();
      body.u32(3);
      body.u32(f.i32Locals);
      body.byte(I32);
      body.u32(f.i64Locals);
      body.byte(I64);
      body.u32(f.moreLocals);
      body.byte(I32);
      body.append(f.code);
      w.u32(body.length);
      w.append(body);
    }
  });
  return out.take();
}

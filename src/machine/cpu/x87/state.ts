// The state of the floating-point unit (SDM vol. 1 §8.1): eight 80-bit registers, control, status and tags, the pointers to
// the last instruction and operand; with them the registers of MMX (the same bytes) and SSE. Values lie in typed arrays and
// operations name them by slot, so that no operation allocates.

/** Exception flags, as in the status word and (as masks) in the control word. */
export const IE = 1,
  DE = 2,
  ZE = 4,
  OE = 8,
  UE = 16,
  PE = 32,
  /** Stack fault. */
  SF = 64,
  /** Some unmasked exception is pending. */
  ES = 128,
  C0 = 0x100,
  C1 = 0x200,
  C2 = 0x400,
  C3 = 0x4000,
  /** Once the 8087's busy line; follows ES since the 387. */
  BUSY = 0x8000;
/** All six exceptions. */
export const EXCEPTIONS = 0x3f;
export const CONDITIONS = C0 | C1 | C2 | C3;

/** Slots behind the eight registers: the operand from memory, the result of an operation, and one to work with. */
export const OPERAND = 8,
  RESULT = 9,
  TEMPORARY = 10;
const SLOTS = 11;

/** Exponent bias of the 80-bit format, and the exponent of infinities and NaNs. */
export const BIAS = 0x3fff,
  MAX_EXPONENT = 0x7fff;
export const SIGN = 0x8000;

/** Precision control, bits 9:8 of the control word. */
export const PRECISION_24 = 0,
  PRECISION_53 = 2,
  PRECISION_64 = 3,
  /** No rounding yet: what lies behind 64 bits is put into the last one. SSE rounds to its own formats afterwards. */
  UNROUNDED = 4;
/** Rounding control, bits 11:10 of the control word. */
export const ROUND_NEAREST = 0,
  ROUND_DOWN = 1,
  ROUND_UP = 2,
  ROUND_ZERO = 3;

/** Bits of MXCSR that exist: SSE2 without DAZ. */
export const MXCSR_MASK = 0xffbf;
export const MXCSR_DEFAULT = 0x1f80;

export class X87 {
  /** Significands, low and high word; physical registers 0..7, then the slots above. MMX registers are the same bytes. */
  readonly lo = new Int32Array(SLOTS);
  readonly hi = new Int32Array(SLOTS);
  /** Sign (bit 15) and biased exponent. */
  readonly se = new Int32Array(SLOTS);

  control = 0x40;
  /** Status word without TOP. */
  status = 0;
  top = 0;
  /** By physical register: 1 = not empty. */
  occupied = 0xff;

  /** Of the last instruction that was not a control instruction: offset, selector, the eleven opcode bits. */
  ip = 0;
  cs = 0;
  opcode = 0;
  /** Its memory operand. */
  dp = 0;
  ds = 0;

  /** What a conversion gave: the words of an integer, a single (low) or a double. */
  outHi = 0;
  outLo = 0;
  /** What the operation under way has raised: exception flags, and C1 when the result was rounded up. */
  raised = 0;

  /** XMM0..7, four words each. */
  readonly xmm = new Int32Array(32);
  mxcsr = MXCSR_DEFAULT;

  /** FERR# and IGNNE#, when CR0.NE=0: errors are told to the board, which answers with IRQ 13 (SDM vol. 1 §8.7.2). */
  onError: ((asserted: boolean) => void) | null = null;
  errorAsserted = false;
  ignoreErrors = false;

  /** After power-on or RESET# (SDM vol. 3 table 9-1); INIT leaves all of it alone. */
  reset(): void {
    this.lo.fill(0);
    this.hi.fill(0);
    this.se.fill(0);
    this.control = 0x40;
    this.status = this.top = 0;
    this.occupied = 0xff;
    this.ip = this.cs = this.opcode = this.dp = this.ds = 0;
    this.xmm.fill(0);
    this.mxcsr = MXCSR_DEFAULT;
    this.errorAsserted = this.ignoreErrors = false;
  }

  /** FNINIT (SDM vol. 2): the registers keep their bytes. */
  initialize(): void {
    this.control = 0x37f;
    this.status = this.top = 0;
    this.occupied = 0;
    this.ip = this.cs = this.opcode = this.dp = this.ds = 0;
    this.errorChanged();
  }

  /** Everything that instructions can see, for checkpoints and for a hypervisor that switches virtual processors. */
  copyFrom(from: X87): void {
    this.lo.set(from.lo);
    this.hi.set(from.hi);
    this.se.set(from.se);
    this.xmm.set(from.xmm);
    this.control = from.control;
    this.status = from.status;
    this.top = from.top;
    this.occupied = from.occupied;
    this.ip = from.ip;
    this.cs = from.cs;
    this.opcode = from.opcode;
    this.dp = from.dp;
    this.ds = from.ds;
    this.mxcsr = from.mxcsr;
    this.errorAsserted = from.errorAsserted;
    this.ignoreErrors = from.ignoreErrors;
  }

  /** The status word with TOP. */
  get statusWord(): number {
    return this.status | (this.top << 11);
  }
  set statusWord(value: number) {
    this.top = (value >> 11) & 7;
    this.status = value & ~0x3800 & 0x7fff;
    this.errorChanged();
  }

  /** Sets ES and B when an exception is pending that the control word does not mask, else clears them. */
  errorChanged(): void {
    if (this.status & ~this.control & EXCEPTIONS) this.status |= ES | BUSY;
    else {
      this.status &= ~(ES | BUSY);
      if (this.errorAsserted || this.ignoreErrors) {
        this.errorAsserted = this.ignoreErrors = false;
        this.onError?.(false);
      }
    }
  }

  /** The tag word as FNSTENV stores it, from what the registers hold (SDM vol. 1 §8.1.7): 0 valid, 1 zero, 2 special, 3 empty. */
  get tagWord(): number {
    let tags = 0;
    for (let r = 7; r >= 0; r--) tags = (tags << 2) | this.tag(r);
    return tags;
  }

  private tag(r: number): number {
    if (!((this.occupied >> r) & 1)) return 3;
    const exponent = this.se[r] & MAX_EXPONENT;
    if (exponent === 0 && (this.hi[r] | this.lo[r]) === 0) return 1;
    return exponent === 0 || exponent === MAX_EXPONENT || this.hi[r] >= 0 ? 2 : 0;
  }

  /** Of a loaded tag word only "empty" counts. */
  set tagWord(tags: number) {
    let occupied = 0;
    for (let r = 0; r < 8; r++) if (((tags >> (2 * r)) & 3) !== 3) occupied |= 1 << r;
    this.occupied = occupied;
  }

  /** Physical register of ST(i). */
  st(i: number): number {
    return (this.top + i) & 7;
  }

  isEmpty(register: number): boolean {
    return ((this.occupied >> register) & 1) === 0;
  }

  set(slot: number, se: number, hi: number, lo: number): void {
    this.se[slot] = se;
    this.hi[slot] = hi;
    this.lo[slot] = lo;
  }

  copy(to: number, from: number): void {
    this.se[to] = this.se[from];
    this.hi[to] = this.hi[from];
    this.lo[to] = this.lo[from];
  }

  pop(): void {
    this.occupied &= ~(1 << this.top);
    this.top = (this.top + 1) & 7;
  }

  /** Makes the register below the top the new top. The caller has looked whether it is empty. */
  push(): void {
    this.top = (this.top - 1) & 7;
    this.occupied |= 1 << this.top;
  }
}

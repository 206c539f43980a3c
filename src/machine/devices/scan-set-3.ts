// Scan-code set 3 of a PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards", scan code tables and key
// types): one code a key, no prefixes, and for each key whether it repeats and whether its release is told. Few systems ask
// for it, so it comes only when wanted (optional.ts).

/** How a key reports: when pressed, and as said here. */
const REPEATS = 1;
const RELEASED = 2;
/** As the commands count them. */
const TYPES = [REPEATS, RELEASED, 0, REPEATS | RELEASED];

/** Codes that are not those of set 2, by set-1 code. */
const OWN: Readonly<Record<number, number>> = {
  1: 0x08, // Esc
  29: 0x11, // Ctrl
  43: 0x5c, // \
  55: 0x7e, // keypad *
  56: 0x19, // Alt
  58: 0x14, // Caps Lock
  69: 0x76, // Num Lock
  70: 0x5f, // Scroll Lock
  74: 0x84, // keypad -
  78: 0x7c, // keypad +
  84: 0x57, // Alt + Print Screen
  86: 0x13, // the key beside the left Shift
  87: 0x56, // F11
  88: 0x5e, // F12
};
/** By set-1 code behind E0h. */
const EXTENDED: Readonly<Record<number, number>> = {
  28: 0x79, // keypad Enter
  29: 0x58, // right Ctrl
  53: 0x77, // keypad /
  55: 0x57, // Print Screen
  56: 0x39, // right Alt
  70: 0x62, // Ctrl + Pause
  71: 0x6e, // Home
  72: 0x63, // Up
  73: 0x6f, // Page Up
  75: 0x61, // Left
  77: 0x6a, // Right
  79: 0x65, // End
  80: 0x60, // Down
  81: 0x6d, // Page Down
  82: 0x67, // Insert
  83: 0x64, // Delete
  91: 0x8b,
  92: 0x8c,
  93: 0x8d,
};
const PAUSE = 0x62;
/** Both Shifts, left Ctrl, left Alt, Caps Lock. */
const TOLD_WHEN_RELEASED = [0x12, 0x59, 0x11, 0x19, 0x14];
/** Neither repeat nor tell: Esc, F1–F12, the right Ctrl and Alt, the keypad but +, and the block above the arrows but Delete. */
const ONCE = [
  ...[0x08, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e, 0x57, 0x5f, 0x62],
  ...[0x39, 0x58, 0x67, 0x6e, 0x6f, 0x65, 0x6d, 0x76, 0x77, 0x7e, 0x84, 0x79, 0x8b, 0x8c, 0x8d],
  ...[0x69, 0x6b, 0x6c, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x7a, 0x7d],
];

export class ScanSet3 {
  private readonly types = new Uint8Array(256);
  private readonly held = new Uint8Array(256);
  /** Command FBh to FDh that takes the next byte as a key; 0 = none. */
  private pending = 0;

  /** @param toSet2 set 2 by set-1 code */
  constructor(private readonly toSet2: Uint8Array) {
    this.defaults();
  }

  /** Every key as after power-on. */
  defaults(): void {
    this.pending = 0;
    this.types.fill(REPEATS);
    for (const code of TOLD_WHEN_RELEASED) this.types[code] = RELEASED;
    for (const code of ONCE) this.types[code] = 0;
  }

  /** F7h to FAh, the type of all keys, or FBh to FDh and codes of this set, that of single ones. True when it was that. */
  command(byte: number): boolean {
    const { pending } = this;
    if (pending && byte < 0xed) {
      this.types[byte] = TYPES[pending - 0xfb];
      return true;
    }
    this.pending = byte >= 0xfb && byte <= 0xfd ? byte : 0;
    if (byte >= 0xf7 && byte <= 0xfa) this.types.fill(TYPES[byte - 0xf7]);
    return byte >= 0xf7 && byte <= 0xfd;
  }

  /** What the keyboard sends. @param sequence set-1 codes with their prefixes, whole sequences */
  translate(sequence: ArrayLike<number>): number[] {
    const out: number[] = [];
    for (let i = 0; i < sequence.length; i++) {
      const first = sequence[i];
      let code: number | undefined;
      let release = false;
      if (first === 0xe1) {
        // The Pause key: three bytes down, three up.
        release = (sequence[i + 1] & 0x80) !== 0;
        code = PAUSE;
        i += 2;
      } else {
        const key = first === 0xe0 ? sequence[++i] : first;
        release = (key & 0x80) !== 0;
        // Shifts that set 1 puts around the keys of the middle block are none of this set's.
        code = first === 0xe0 ? EXTENDED[key & 0x7f] : this.codeOf(key & 0x7f);
      }
      if (code) this.key(code, release, out);
    }
    return out;
  }

  private codeOf(key: number): number {
    return key >= 59 && key <= 68 ? 7 + 8 * (key - 59) : (OWN[key] ?? this.toSet2[key]);
  }

  private key(code: number, release: boolean, out: number[]): void {
    const type = this.types[code];
    if (release) {
      if (type & RELEASED) out.push(0xf0, code);
    } else if (!this.held[code] || type & REPEATS) out.push(code);
    this.held[code] = release ? 0 : 1;
  }
}

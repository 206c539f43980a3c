// Channel 2 of the 8254 against a model that counts clock by clock as the data sheet's mode definitions tell (order 231164,
// "Mode Definitions"): all six modes, binary and BCD, counts written at any time, the gate through port 61h.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Pit } from './pit.ts';
import { PIT_HZ } from './time-base.ts';

class Model {
  mode = 3;
  bcd = false;
  gate = false;
  out = true;
  /** Count register: what will be loaded. 0 = nothing written since the mode word. */
  register = 0;
  /** Counting element. */
  element = 0;
  /** The next clock loads the element. */
  load = false;
  counting = false;

  program(mode: number, bcd: boolean): void {
    this.mode = mode;
    this.bcd = bcd;
    this.register = 0;
    this.load = this.counting = false;
    this.out = mode !== 0;
  }

  write(count: number): void {
    const first = this.register === 0;
    this.register = count;
    if (this.mode === 0) this.out = false;
    if (this.mode === 0 || this.mode === 4) this.load = true;
    // Modes 2 and 3 load a first count at once, another at the end of what runs; 1 and 5 wait for a trigger.
    if ((this.mode === 2 || this.mode === 3) && first) this.load = true;
  }

  setGate(high: boolean): void {
    const rises = high && !this.gate;
    this.gate = high;
    if (rises && this.mode !== 0 && this.mode !== 4 && this.register) this.load = true;
    if (!high && (this.mode === 2 || this.mode === 3)) this.out = true;
  }

  private get modulus(): number {
    return this.bcd ? 10000 : 65536;
  }

  clock(): void {
    const periodic = this.mode === 2 || this.mode === 3;
    if (this.load && !(periodic && !this.gate)) {
      this.load = false;
      this.counting = true;
      this.element = this.mode === 3 ? this.register & ~1 : this.register;
      if (this.mode === 1) this.out = false;
      // A strobe lasts one clock.
      if (this.mode > 3) this.out = true;
      return;
    }
    if (!this.counting) return;
    if (this.mode === 0 || this.mode === 4 || periodic ? !this.gate : false) return;
    if (this.mode === 2) this.rate();
    else if (this.mode === 3) this.square();
    else {
      this.element = (this.element + this.modulus - 1) % this.modulus;
      const expired = this.element === 0;
      if (this.mode === 0 || this.mode === 1) this.out ||= expired;
      else this.out = !expired;
    }
  }

  private rate(): void {
    if (this.element === 1) {
      this.element = this.register;
      this.out = true;
    } else if (--this.element === 1) this.out = false;
  }

  private square(): void {
    this.element -= 2;
    // An odd count stays at zero for one clock while OUT is high.
    const expired = this.out && this.odd ? this.element < 0 : this.element === 0;
    if (!expired) return;
    this.out = !this.out;
    this.odd = (this.register & 1) === 1;
    this.element = this.register & ~1;
  }
  odd = false;

  get shown(): number {
    const value = this.element % this.modulus;
    if (!this.bcd) return value;
    return Number.parseInt(String(value), 16);
  }
}

type Step =
  | { kind: 'program'; mode: number; bcd: boolean; count: number }
  | { kind: 'write'; count: number }
  | { kind: 'gate'; high: boolean };

const counts = fc.oneof(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 300 }));
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('program' as const),
    mode: fc.integer({ min: 0, max: 5 }),
    bcd: fc.boolean(),
    count: counts,
  }),
  fc.record({ kind: fc.constant('write' as const), count: counts }),
  fc.record({ kind: fc.constant('gate' as const), high: fc.boolean() }),
);

it('the 8254 counts as its data sheet says, clock by clock', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(steps, fc.integer({ min: 2, max: 60 })), { minLength: 1, maxLength: 12 }),
      (script) => {
        let cycles = 0;
        const pit = new Pit({ now: () => cycles, frequency: PIT_HZ }, () => {});
        const model = new Model();
        const writeCount = (count: number) => {
          const digits = model.bcd ? Number.parseInt(String(count), 16) : count;
          pit.writePort(0x42, digits & 0xff);
          pit.writePort(0x42, digits >> 8);
          model.write(count);
          if (model.mode === 3 && !model.counting) model.odd = (count & 1) === 1;
        };
        for (const [step, ticks] of script) {
          if (step.kind === 'program') {
            pit.writePort(0x43, 0xb0 | (step.mode << 1) | (step.bcd ? 1 : 0));
            model.program(step.mode, step.bcd);
            writeCount(step.count);
          } else if (step.kind === 'gate') {
            pit.writePort(0x61, step.high ? 1 : 0);
            if (step.high && !model.gate) model.odd = (model.register & 1) === 1;
            model.setGate(step.high);
          } else if (model.register) writeCount(step.count);
          for (let n = 0; n < ticks; n++) {
            cycles++;
            model.clock();
            if (!model.register) continue;
            const periodic = model.mode === 2 || model.mode === 3;
            const out = (pit.readPort(0x61) & 0x20) !== 0;
            const where = `mode ${model.mode}, clock ${n + 1} after ${step.kind}`;
            expect(out, `OUT in ${where}`).toBe(model.out);
            // A counting element that has nothing in it yet, or is held by the gate of modes 2 and 3, may hold anything.
            if (!model.counting || (periodic && !model.gate)) continue;
            pit.writePort(0x43, 0x80);
            const shown = pit.readPort(0x42) | (pit.readPort(0x42) << 8);
            expect(shown, `count in ${where}`).toBe(model.shown);
          }
        }
      },
    ),
    { numRuns: 1500, seed: 0x8254, endOnFailure: false },
  );
});

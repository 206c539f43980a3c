// From the INTA#–INTD# pins of bus 0 to the interrupt controllers: the slots' wiring, which gives neighbours different lines, and
// the steering of the PIIX3 (data sheet 290549 §2.2.5, PIRQRC[A:D] at 60h–63h of the ISA bridge: bit 7 off, bits 3–0 the IRQ).
import type { InterruptLine } from '../device.ts';
import type { PciFunction } from './function.ts';

const PIRQRC = 0x60;
const DISABLED = 0x80;
/** IRQs that cannot be chosen: timer, keyboard, cascade, clock, coprocessor. */
const RESERVED = 0x2107;

/** Which of PIRQA–PIRQD a pin leads to: one further from slot to slot. @param pin 1…4 for INTA#…INTD# */
export const pirqOf = (device: number, pin: number): number => (device + pin - 2) & 3;

/** Level-triggered and shared: a line is up while any pin that leads to it is pulled. */
export class PciInterrupts {
  /** Pins pulled, one bit a device and pin, by PIRQ. */
  private readonly pulled: readonly Set<number>[] = [new Set(), new Set(), new Set(), new Set()];
  private readonly wires: readonly InterruptLine[];

  /** @param line a wire to an input of the interrupt controllers */
  constructor(
    private readonly isa: PciFunction,
    line: (irq: number) => InterruptLine,
  ) {
    this.wires = Array.from({ length: 16 }, (_, irq) => line(irq));
    isa.onRegister = (offset) => {
      if (offset >= PIRQRC && offset < PIRQRC + 4) this.update();
    };
  }

  /** The wire of a pin. @param device 0–31 @param pin 1…4 */
  pin(device: number, pin: number): InterruptLine {
    const pulled = this.pulled[pirqOf(device, pin)];
    return (level) => {
      if (level) pulled.add(device * 4 + pin);
      else pulled.delete(device * 4 + pin);
      this.update();
    };
  }

  private update(): void {
    let up = 0;
    this.pulled.forEach((pins, n) => {
      const route = this.isa.read(PIRQRC + n);
      if (pins.size && !(route & DISABLED)) up |= 1 << (route & 15);
    });
    for (let irq = 3; irq < 16; irq++) if (!(RESERVED & (1 << irq))) this.wires[irq](((up >> irq) & 1) === 1);
  }
}

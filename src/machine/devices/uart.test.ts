import { describe, expect, it } from 'vitest';
import { Uart } from './uart.ts';

const HZ = 1_843_200 * 100;
/** 115 200 baud, 8N1: ten bits of sixteen crystal periods each. */
const CHARACTER = 10 * 16 * 100;

function machine() {
  let cycles = 0;
  const state = { level: false, edges: 0 };
  const uart = new Uart({ now: () => cycles, frequency: HZ }, (high) => {
    if (high && !state.level) state.edges++;
    state.level = high;
  });
  const to = (target: number) => {
    while (uart.nextDeadline() <= target) {
      cycles = uart.nextDeadline();
      uart.advance(cycles);
    }
    cycles = target;
  };
  const r = (register: number) => uart.readPort(0x3f8 + register);
  const w = (register: number, value: number) => uart.writePort(0x3f8 + register, value);
  const text = () => String.fromCharCode(...uart.drain());
  return { uart, to, r, w, text, state, after: (d: number) => to(cycles + d) };
}

describe('16550A', () => {
  it('takes a character time to send, and says when it is empty', () => {
    const m = machine();
    m.w(0, 0x41);
    expect(m.r(5)).toBe(0x20); // holding register empty, shifter busy
    m.w(0, 0x42);
    expect(m.r(5)).toBe(0);
    m.to(CHARACTER);
    expect([m.text(), m.r(5)]).toEqual(['A', 0x20]);
    m.to(2 * CHARACTER);
    expect([m.text(), m.r(5)]).toEqual(['B', 0x60]);
  });

  it('sends a whole FIFO at the programmed rate', () => {
    const m = machine();
    m.w(3, 0x83);
    m.w(0, 12);
    m.w(1, 0);
    expect([m.r(0), m.r(1)]).toEqual([12, 0]);
    m.w(3, 3);
    m.w(2, 0x07);
    for (const c of 'Penguin 2.6') m.w(0, c.charCodeAt(0));
    m.to(11 * 12 * CHARACTER - 1);
    expect(m.text()).toBe('Penguin 2.');
    m.to(11 * 12 * CHARACTER);
    expect(m.text()).toBe('6');
  });

  it('interrupts when the transmitter is empty, acknowledged by reading IIR', () => {
    const m = machine();
    m.w(4, 8);
    m.w(1, 2);
    expect([m.state.level, m.r(2), m.state.level]).toEqual([true, 2, false]);
    m.w(0, 1);
    expect(m.state.edges).toBe(2); // straight into the shifter: empty again
    m.r(2);
    m.w(0, 2);
    expect(m.state.level).toBe(false);
    m.to(CHARACTER);
    expect([m.state.level, m.r(2)]).toEqual([true, 2]);
  });

  it('reaches the interrupt controller with OUT2 off too, as kernels that never set it expect; not in loop-back', () => {
    const m = machine();
    m.w(4, 0);
    m.w(1, 2);
    expect(m.state.level).toBe(true);
    m.w(4, 0x18);
    expect(m.state.level).toBe(false);
  });

  it('receives with flow control: nothing is lost however late the guest reads', () => {
    const m = machine();
    m.w(4, 8);
    m.w(1, 1);
    expect(m.uart.receive([1, 2, 3])).toBe(3);
    m.to(100 * CHARACTER);
    const got: number[] = [];
    for (let i = 0; i < 3; i++) {
      expect(m.r(2)).toBe(4);
      got.push(m.r(0));
      expect(m.state.level).toBe(false);
      m.after(CHARACTER);
    }
    expect(got).toEqual([1, 2, 3]);
  });

  it('FIFO trigger level, and the time-out for what stays below it', () => {
    const m = machine();
    m.w(4, 8);
    m.w(2, 0x81); // trigger at 8
    m.w(1, 1);
    m.uart.receive(Uint8Array.from({ length: 10 }, (_, i) => i));
    m.to(7 * CHARACTER);
    expect(m.state.level).toBe(false);
    m.to(8 * CHARACTER);
    expect(m.r(2)).toBe(0xc4);
    for (let i = 0; i < 8; i++) m.r(0);
    expect(m.state.level).toBe(false);
    m.to(15 * CHARACTER);
    expect(m.r(2)).toBe(0xcc);
    expect([m.r(0), m.r(0), m.r(5) & 1]).toEqual([8, 9, 0]);
  });

  describe('what the host sends waits until the guest listens:', () => {
    /** Whether something has arrived in the time of ten characters. */
    const arrives = (m: ReturnType<typeof machine>) => {
      m.after(10 * CHARACTER);
      return (m.r(5) & 1) === 1;
    };

    it('for who wants to be interrupted, from then on', () => {
      const m = machine();
      m.uart.receive([65]);
      m.after(10 * CHARACTER);
      m.w(1, 1);
      expect([m.r(5) & 1, arrives(m), m.r(0)]).toEqual([0, true, 65]);
    });

    it('for who looks again though the transmitter is free', () => {
      const m = machine();
      m.uart.receive([65]);
      m.r(5);
      expect(m.uart.nextDeadline()).toBe(Infinity);
      m.r(5);
      expect(m.uart.nextDeadline()).toBeLessThan(Infinity);
      expect(arrives(m)).toBe(true);
    });

    it('who looks and sends, however often, only sends', () => {
      const m = machine();
      m.uart.receive([65]);
      for (let n = 0; n < 20; n++) {
        while (!(m.r(5) & 0x20)) m.after(CHARACTER / 4);
        m.w(0, 66);
      }
      m.after(10 * CHARACTER);
      expect(m.uart.nextDeadline()).toBe(Infinity);
    });

    it('who empties the receiver has not begun to', () => {
      const m = machine();
      m.r(5);
      m.r(5);
      m.w(2, 7);
      m.uart.receive([65]);
      expect(arrives(m)).toBe(false);
    });
  });

  it('refuses more than the host queue holds', () => {
    expect(machine().uart.receive(new Uint8Array(100_000))).toBe(65536);
  });

  it('loops back data and modem lines', () => {
    const m = machine();
    m.w(4, 0x1f);
    expect(m.r(6) & 0xf0).toBe(0xf0);
    m.w(0, 0x5a);
    m.to(CHARACTER);
    expect([m.r(0), m.text()]).toEqual([0x5a, '']);
    m.w(4, 0x10);
    expect(m.r(6)).toBe(0x0f & ~0);
  });

  it('passes the presence test of a driver: scratch, IER upper bits, FIFO bits', () => {
    const m = machine();
    m.w(7, 0xa5);
    m.w(1, 0xff);
    m.w(2, 1);
    expect([m.r(7), m.r(1), m.r(2) & 0xc0]).toEqual([0xa5, 0x0f, 0xc0]);
  });

  it('sends and loops back as many bits as a character has', () => {
    const m = machine();
    m.w(3, 0x02); // seven
    m.w(0, 0xc1);
    m.after(CHARACTER);
    expect(m.text()).toBe('A');
    m.w(4, 0x10);
    m.w(0, 0xff);
    m.after(CHARACTER);
    expect(m.r(0)).toBe(0x7f);
  });

  it('interrupts when the transmit FIFO is emptied by its reset', () => {
    const m = machine();
    m.w(2, 0x01);
    m.w(1, 2);
    m.w(0, 1);
    m.w(0, 2);
    m.r(2);
    expect(m.state.level).toBe(false);
    m.w(2, 0x05);
    expect([m.state.level, m.r(5) & 0x20]).toEqual([true, 0x20]);
  });

  it('tells an overrun once, by line status and, when enabled, by the interrupt of highest priority', () => {
    const m = machine();
    m.w(4, 0x10);
    m.w(1, 7);
    for (const byte of [1, 2]) {
      m.w(0, byte);
      m.after(CHARACTER);
    }
    expect(m.r(2) & 15).toBe(6);
    expect(m.r(5) & 2).toBe(2);
    expect(m.r(5) & 2).toBe(0);
    expect(m.r(2) & 15).toBe(4);
    expect(m.r(0)).toBe(2);
  });

  it('sends what it still has when the machine is switched off', () => {
    const m = machine();
    m.w(2, 1);
    for (const c of 'off\n') m.w(0, c.charCodeAt(0));
    m.uart.flush();
    expect([m.text(), m.r(5)]).toEqual(['off\n', 0x60]);
  });

  it('loops back modem lines, with their changes, and RI tells its trailing edge only', () => {
    const m = machine();
    m.w(4, 0x10);
    m.r(6);
    m.w(4, 0x1f);
    expect(m.r(6)).toBe(0xfb);
    expect(m.r(6)).toBe(0xf0);
    m.w(4, 0x1b);
    expect(m.r(6)).toBe(0xb4);
  });
});

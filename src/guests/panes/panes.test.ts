// Panes is assembled by our assembler and by NASM to the same bytes, and looks the same on our machine and on an
// emulator that nobody here wrote.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { loadFlat } from '../../images/boot.ts';
import { parseImage } from '../../images/load.ts';
import { Stop } from '../../machine/cpu/cpu.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { installed } from '../testing/nasm.ts';
import { bootQemu, type Picture } from '../testing/qemu.ts';

const GUESTS = join(import.meta.dirname, '..');
const SERIAL = /^Panes 1\.0 .*\r\n.*ready\r\n.*safe to turn off your computer \(\d+ ticks\)\r\n$/s;
const KEY = { q: 0x10, b: 0x30, tab: 0x0f };
const read = (name: string) => {
  try {
    return readFileSync(join(GUESTS, name), 'utf8');
  } catch {
    return undefined;
  }
};
const assembly = assemble(read, 'panes/panes.asm');

describe('Panes', () => {
  it('assembles without a diagnostic', () => {
    expect(assembly.diagnostics).toEqual([]);
    expect(assembly.bytes.length).toBeGreaterThan(16_000);
  });

  it('is a multiboot image for 1 MiB with its memory below 4 MiB', () => {
    const image = parseImage(assembly.bytes, 'panes.img');
    expect(image.kind).toBe('multiboot');
    expect(image.segments.map((s) => [s.address, s.address + s.memorySize])).toEqual([[0x100000, 0x1b0000]]);
  });

  it.skipIf(!installed('nasm'))('is what NASM makes of it (skipped without nasm)', () => {
    const out = join(mkdtempSync(join(tmpdir(), 'panes-')), 'panes.img');
    execFileSync('nasm', ['-f', 'bin', '-I', `${GUESTS}/`, '-o', out, join(GUESTS, 'panes/panes.asm')]);
    expect(Buffer.compare(Buffer.from(assembly.bytes), readFileSync(out))).toBe(0);
  });

  it('boots on our machine, runs its benchmark, shuts down on Q', () => {
    const m = ourMachine();
    m.run(2);
    m.press(KEY.b);
    m.run(4);
    const before = m.picture();
    m.press(KEY.tab);
    m.run(4.2);
    expect(same(before, m.picture(), { left: 0, top: 0, right: 320, bottom: 186 })).toBe(false);
    m.press(KEY.q);
    m.run(8);
    expect(m.pc.board.state).toBe('off');
    expect(m.text()).toMatch(SERIAL);
  });

  it('spends its time idle when nobody asks for anything', () => {
    const m = ourMachine();
    m.run(2);
    const instructions = m.pc.cpu.instructions;
    m.run(4);
    expect(m.pc.cpu.instructions - instructions).toBeLessThan(2_000_000);
  });

  it.skipIf(!installed('qemu-system-i386'))(
    'looks on QEMU as it looks here (skipped without qemu-system-i386)',
    async () => {
      const qemu = bootQemu(assembly.bytes);
      try {
        await qemu.until(/desktop ready/);
        await qemu.wait(3000);
        const theirs = await qemu.screen();
        const m = ourMachine();
        m.run(3);
        // What does not move: the greeting below its title bar with its shadow, the wallpaper around it, the start button.
        for (const part of [
          { left: 0, top: 18, right: 145, bottom: 102 },
          { left: 0, top: 188, right: 48, bottom: 200 },
        ]) {
          expect(same(theirs, m.picture(), part)).toBe(true);
        }
        qemu.command('sendkey b');
        qemu.command('sendkey q');
        expect(await qemu.ended).toBe(0);
        expect(qemu.serial()).toMatch(SERIAL);
      } finally {
        qemu.end();
      }
    },
  );
});

/** Panes on the bare machine of this project. */
function ourMachine() {
  const cost = costModel('prescott');
  const pc = new Pc(cost, new Recorder(), 8 << 20, { startDate: '2005-08-23T09:41:00' });
  loadFlat(
    parseImage(assembly.bytes, 'panes'),
    { commandLine: '', modules: [] },
    pc.memory,
    pc.memory.size,
    pc.cpu,
  );
  let text = '';
  pc.board.serial.onTransmit = (byte) => {
    text += String.fromCharCode(byte);
  };
  return {
    pc,
    text: () => text,
    press: (code: number) => pc.board.keys([code, code | 0x80]),
    /** Until so many seconds of virtual time, or the end. */
    run(seconds: number): void {
      const until = seconds * cost.clockHz;
      while (pc.cpu.cycles < until && pc.board.state === 'on') {
        const stop = pc.run(until);
        if (stop === Stop.shutdown)
          throw new Error(`triple fault at ${pc.cpu.instructionStart.toString(16)}`);
        while (stop === Stop.halted && !pc.board.pic.pending() && pc.cpu.cycles < until) pc.passTime(until);
      }
    },
    picture(): Picture {
      const screen = pc.board.screen();
      if (screen.mode !== 'graphics') throw new Error('still in text mode');
      const { width, height, pixels, palette } = screen;
      const rgb = new Uint8Array(width * height * 3);
      pixels.forEach((p, i) => {
        rgb.set(palette.subarray(p * 3, p * 3 + 3), i * 3);
      });
      return { width, height, pixels: rgb };
    },
  };
}

/** Compares a part of two pictures of 320 × 200, either of which may be drawn twice as large. */
function same(
  a: Picture,
  b: Picture,
  part: { left: number; top: number; right: number; bottom: number },
): boolean {
  const at = (p: Picture, x: number, y: number) => {
    const scale = p.width / 320;
    const i = (y * scale * p.width + x * scale) * 3;
    // The DAC has six bits a channel; how they are spread over eight is each emulator's own choice.
    return ((p.pixels[i] << 16) | (p.pixels[i + 1] << 8) | p.pixels[i + 2]) & 0xfcfcfc;
  };
  for (let y = part.top; y < part.bottom; y++) {
    for (let x = part.left; x < part.right; x++) if (at(a, x, y) !== at(b, x, y)) return false;
  }
  return true;
}

// Panes is assembled by our assembler and by NASM to the same bytes, and boots on an emulator nobody here wrote.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { parseImage } from '../../images/load.ts';

const GUESTS = join(import.meta.dirname, '..');
const read = (name: string) => {
  try {
    return readFileSync(join(GUESTS, name), 'utf8');
  } catch {
    return undefined;
  }
};
const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
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

  it.skipIf(!has('nasm'))('is what NASM makes of it (skipped without nasm)', () => {
    const out = join(mkdtempSync(join(tmpdir(), 'panes-')), 'panes.img');
    execFileSync('nasm', ['-f', 'bin', '-I', `${GUESTS}/`, '-o', out, join(GUESTS, 'panes/panes.asm')]);
    expect(Buffer.compare(Buffer.from(assembly.bytes), readFileSync(out))).toBe(0);
  });

  it.skipIf(!has('qemu-system-i386'))(
    'boots on QEMU, draws its desktop, shuts down on Q (skipped without qemu-system-i386)',
    async () => {
      const machine = boot(assembly.bytes);
      await machine.until(/desktop ready/);
      const screen = await machine.screen();
      // The title bar of a window, the sky beside it, the task bar, as the palette has them.
      expect(screen.colours).toBeGreaterThan(30);
      machine.command('sendkey b');
      machine.command('sendkey q');
      expect(await machine.ended()).toBe(0);
      expect(machine.serial()).toMatch(/^Panes 1\.0 .*\r\n.*ready\r\n.*safe to turn off your computer \(\d+ ticks\)\r\n$/s);
    },
  );
});

/** A QEMU machine with its serial port on stdout and its monitor on stdin. */
function boot(image: Uint8Array) {
  const dir = mkdtempSync(join(tmpdir(), 'panes-'));
  writeFileSync(join(dir, 'panes.img'), image);
  const serialFile = join(dir, 'serial');
  const child = spawn(
    'qemu-system-i386',
    ['-m', '16', '-display', 'none', '-no-reboot', '-kernel', join(dir, 'panes.img'), '-serial', `file:${serialFile}`, '-monitor', 'stdio'],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const serial = () => {
    try {
      return readFileSync(serialFile, 'latin1');
    } catch {
      return '';
    }
  };
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const command = (text: string) => child.stdin.write(`${text}\n`);
  return {
    serial,
    command,
    ended: () => ended,
    async until(pattern: RegExp) {
      for (let i = 0; i < 300 && !pattern.test(serial()); i++) await wait(100);
      await wait(500);
    },
    async screen() {
      const file = join(dir, 'screen.ppm');
      command(`screendump ${file}`);
      for (let i = 0; i < 50; i++) {
        await wait(100);
        const pixels = (read2(file) ?? Buffer.alloc(0)).subarray(15);
        if (pixels.length >= 320 * 200 * 3) {
          const seen = new Set<number>();
          for (let p = 0; p + 2 < pixels.length; p += 3) seen.add((pixels[p] << 16) | (pixels[p + 1] << 8) | pixels[p + 2]);
          return { colours: seen.size };
        }
      }
      return { colours: 0 };
    },
  };
}

function read2(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

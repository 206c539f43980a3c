// One long program about privilege (fixtures/system/): segment loads, gates, rings, TSS stacks, IRET, I/O bitmap, LAR and
// its kin over a whole GDT, single step, breakpoints, tasks, virtual-8086 mode, every page-right combination, self-modifying
// code, double fault. What it prints was written by qemu-system-i386, and QEMU is asked again wherever it is installed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Stop } from './cpu.ts';
import { available, hasNasm, nasm, TestMachine } from './test-machine.ts';

const folder = fileURLToPath(new URL('./fixtures/system', import.meta.url));
const expected = readFileSync(join(folder, 'expected.txt'), 'latin1');
const assembled = () => nasm(readFileSync(join(folder, 'main.asm'), 'latin1'), folder);
const hasQemu = () => available('qemu-system-i386', ['--version']);

/** Offset of the entry address in the multiboot header, which is the first thing in the image. */
const ENTRY = 28;

describe('the system program', () => {
  it.skipIf(!hasNasm())('prints what QEMU printed', () => {
    const image = assembled();
    const machine = new TestMachine(16 << 20).flat(image, 0x100000);
    machine.cpu.eip = new DataView(image.buffer).getUint32(ENTRY, true);
    expect(machine.run(10_000_000)).toBe(Stop.halted);
    expect(String.fromCharCode(...machine.bus.on(0xe9))).toBe(expected);
  });

  it.skipIf(!hasNasm() || !hasQemu())('still makes QEMU print it', () => {
    const temporary = mkdtempSync(join(tmpdir(), 'ringside-'));
    try {
      writeFileSync(join(temporary, 'system.bin'), assembled());
      expect(inQemu(join(temporary, 'system.bin'))).toBe(expected);
    } finally {
      rmSync(temporary, { recursive: true });
    }
  });
});

function inQemu(image: string): string {
  const options = '-cpu pentium3 -m 16 -display none -serial none -monitor none -no-reboot -debugcon stdio';
  const exit = '-device isa-debug-exit,iobase=0x501';
  try {
    return execFileSync('qemu-system-i386', ['-kernel', image, ...options.split(' '), ...exit.split(' ')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 30_000,
    }).toString('latin1');
  } catch (error) {
    // The debug-exit device always ends QEMU with an odd status: (value << 1) | 1.
    const { status, stdout } = error as { status: number | null; stdout: Buffer };
    if (status !== 1) throw error;
    return stdout.toString('latin1');
  }
}

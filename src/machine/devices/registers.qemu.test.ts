// Registers of PIC, CMOS clock, 16550 and 8042 with keyboard and mouse beside QEMU's: one program writes and reads them, without
// interrupts and without anything that depends on real time; both must print the same bytes. (PIT: pit-model.test.ts.)
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Stop } from '../cpu/cpu.ts';
import { run } from '../cpu/execute.ts';
import { available, hasNasm, nasm, TestMachine } from '../cpu/test-machine.ts';
import { Board } from './board.ts';

/** A line of the program: write a port, or read one and print it behind its name. */
type Step =
  | readonly ['out', port: number, value: number]
  | readonly ['in', name: string, port: number]
  | readonly ['wait', port: number, mask: number, value: number];

const out = (port: number, ...values: number[]): Step[] =>
  values.map((value) => ['out', port, value] as const);
const show = (name: string, port: number): Step => ['in', name, port];
/** Reads a port, at most some thousand times, until (it & mask) = value. */
const wait = (port: number, mask: number, value: number): Step => ['wait', port, mask, value];

const PIC: Step[] = [
  ...out(0x20, 0x11),
  ...out(0x21, 0x20, 0x04, 0x01),
  ...out(0xa0, 0x11),
  ...out(0xa1, 0x28, 0x02, 0x01),
  show('IMR after initialization', 0x21),
  ...out(0x21, 0xfb),
  ...out(0xa1, 0xff),
  show('IMR', 0x21),
  show('IMR of the slave', 0xa1),
  ...out(0x20, 0x0b),
  show('ISR', 0x20),
  ...out(0xa0, 0x0b),
  show('ISR of the slave', 0xa0),
  ...out(0x4d0, 0xff),
  ...out(0x4d1, 0xff),
  show('ELCR, what is fixed stays edge', 0x4d0),
  show('ELCR of the slave', 0x4d1),
  ...out(0x4d0, 0),
  ...out(0x4d1, 0),
];

/** A date is set, with the clock stopped by SET, and read in every form. */
const CMOS: Step[] = [
  ...[
    [0x0b, 0x82],
    [0x00, 0x58],
    [0x02, 0x59],
    [0x04, 0x23],
    [0x07, 0x31],
    [0x08, 0x12],
    [0x09, 0x05],
    [0x01, 0x12],
    [0x03, 0xc5],
    [0x05, 0xff],
  ].flatMap(([index, value]) => [...out(0x70, index), ...out(0x71, value)]),
  ...[0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x01, 0x03, 0x05, 0x0b, 0x0d].flatMap((index) => [
    ...out(0x70, index),
    show(`CMOS ${index.toString(16)}`, 0x71),
  ]),
  ...out(0x70, 0x0a),
  ...out(0x71, 0x26),
  ...out(0x70, 0x0c),
  show('register C clears', 0x71),
  ...out(0x70, 0x0c),
  show('and is clear', 0x71),
];

const COM = 0x3f8;
const UART: Step[] = [
  ...out(COM + 1, 0),
  ...out(COM + 3, 0x80),
  ...out(COM, 1),
  ...out(COM + 1, 0),
  show('divisor', COM),
  show('divisor, high', COM + 1),
  ...out(COM + 3, 0x03),
  ...out(COM + 1, 0xff),
  show('IER has four bits', COM + 1),
  ...out(COM + 1, 0),
  ...out(COM + 7, 0x5a),
  show('scratch', COM + 7),
  ...out(COM + 4, 0xff),
  show('MCR', COM + 4),
  ...out(COM + 2, 0),
  show('IIR without FIFOs', COM + 2),
  ...out(COM + 2, 0x07),
  show('IIR with FIFOs', COM + 2),
  ...out(COM + 4, 0x10),
  show('MSR, to forget', COM + 6),
  ...[0x11, 0x12, 0x14, 0x18, 0x1f].flatMap((mcr) => [
    ...out(COM + 4, mcr),
    show(`MSR of MCR ${mcr.toString(16)} looped back`, COM + 6),
  ]),
  show('LSR, nothing there', COM + 5),
  ...out(COM, 0xa5),
  wait(COM + 5, 0x61, 0x61),
  show('LSR, a character', COM + 5),
  ...out(COM + 1, 1),
  show('IIR, a character in the FIFO, trigger at one', COM + 2),
  show('the character', COM),
  show('LSR, taken', COM + 5),
  show('IIR, nothing', COM + 2),
  ...out(COM + 1, 2),
  show('IIR, transmitter empty', COM + 2),
  show('IIR, read once', COM + 2),
  ...out(COM + 1, 0),
  ...out(COM + 2, 0x81),
  ...[1, 2, 3].flatMap((n): Step[] => [...out(COM, n), wait(COM + 5, 0x40, 0x40)]),
  ...[1, 2, 3].map((n) => show(`character ${n}`, COM)),
  show('LSR, empty again', COM + 5),
  ...out(COM, 9),
  wait(COM + 5, 0x41, 0x41),
  ...out(COM + 2, 0x03),
  show('LSR, FIFO reset', COM + 5),
  ...out(COM + 4, 0x0b),
];

/** To the 8042, to the keyboard, to the mouse; each answer. */
const command = (value: number): Step[] => [wait(0x64, 2, 0), ...out(0x64, value)];
const data = (value: number): Step[] => [wait(0x64, 2, 0), ...out(0x60, value)];
const mouse = (value: number): Step[] => [...command(0xd4), ...data(value)];
const answers = (name: string, count = 1): Step[] =>
  Array.from({ length: count }, (_, n): Step[] => [
    wait(0x64, 1, 1),
    show(`${name}: status`, 0x64),
    show(`${name}: ${n}`, 0x60),
  ]).flat();
const KEYBOARD: Step[] = [
  ...command(0xad),
  ...command(0xa7),
  ...command(0xaa),
  ...answers('self-test'),
  ...command(0xab),
  ...answers('keyboard wire'),
  ...command(0xa9),
  ...answers('mouse wire'),
  ...command(0x60),
  ...data(0x44),
  ...command(0x20),
  ...answers('command byte'),
  ...command(0xd2),
  ...data(0x77),
  ...answers('as from the keyboard'),
  ...command(0xd3),
  ...data(0x78),
  ...answers('as from the mouse'),
  ...command(0xae),
  ...data(0xf5),
  ...answers('stop'),
  ...data(0xee),
  ...answers('echo'),
  ...data(0xf2),
  ...answers('identification, translated', 3),
  ...data(0xed),
  ...answers('lamps'),
  ...data(0x02),
  ...answers('which'),
  ...data(0xf0),
  ...answers('scan code set'),
  ...data(0x00),
  ...answers('which', 2),
  ...data(0xff),
  ...answers('reset', 2),
  ...command(0xa8),
  ...mouse(0xff),
  ...answers('mouse: reset', 3),
  ...mouse(0xf2),
  ...answers('mouse: identification', 2),
  ...mouse(0xe8),
  ...answers('mouse: resolution'),
  ...mouse(0x03),
  ...answers('mouse: eight a millimetre'),
  ...mouse(0xf3),
  ...answers('mouse: rate'),
  ...mouse(0x28),
  ...answers('mouse: 40'),
  ...mouse(0xe7),
  ...answers('mouse: scaling'),
  ...mouse(0xe9),
  ...answers('mouse: status', 4),
  ...mouse(0xeb),
  ...answers('mouse: packet on demand', 4),
  ...mouse(0xf6),
  ...answers('mouse: defaults'),
  ...mouse(0xe9),
  ...answers('mouse: status again', 4),
];

const STEPS: Step[] = [...PIC, ...CMOS, ...UART, ...KEYBOARD];
const NAMES = STEPS.filter((step) => step[0] === 'in').map((step) => step[1]);

/** Multiboot; a value a line on port E9h; then QEMU's exit device, and HLT. */
function program(): Uint8Array {
  const lines = STEPS.map((step) => {
    if (step[0] === 'out') return `mov dx, ${step[1]}\nmov al, ${step[2]}\nout dx, al`;
    if (step[0] === 'in') return `mov dx, ${step[2]}\nin al, dx\ncall print`;
    return `mov dx, ${step[1]}\nmov bx, ${(step[2] << 8) | step[3]}\ncall await`;
  });
  return nasm(`bits 32
org 0x100000
header: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), header, header, 0, 0, start
start:
  cli
  mov esp, 0x90000
${lines.join('\n')}
  mov dx, 0x501
  mov al, 0
  out dx, al
  hlt
print:
  mov ah, al
  mov ecx, 2
.digit:
  rol ah, 4
  mov al, ah
  and al, 15
  cmp al, 10
  sbb al, 0x69
  das
  out 0xe9, al
  loop .digit
  mov al, 10
  out 0xe9, al
  ret
await:
  mov ecx, 20000
.again:
  in al, dx
  and al, bh
  cmp al, bl
  je .there
  loop .again
.there:
  ret`);
}

function onRingside(image: Uint8Array): string {
  const m = new TestMachine(16 << 20).flat(image, 0x100000);
  m.cpu.eip = new DataView(image.buffer).getUint32(28, true);
  const board = new Board({
    clock: { now: () => m.cpu.cycles, frequency: 100_000_000 },
    videoMemory: new Uint8Array(0x20000),
    memoryBytes: 16 << 20,
    startDate: '2005-08-23T09:41:00',
  });
  m.cpu.ports = board;
  for (let n = 0; n < 1_000_000; n++) {
    const stop = run(m.cpu, Math.min(board.nextDeadline(), m.cpu.cycles + 100_000));
    board.advance(m.cpu.cycles);
    if (stop === Stop.halted) break;
  }
  return String.fromCharCode(...board.takeDebug());
}

function onQemu(image: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-'));
  try {
    const file = join(folder, 'image');
    writeFileSync(file, image);
    // Its time is counted in instructions too: how busy this machine is does not matter.
    const options =
      '-m 16 -display none -serial null -monitor none -no-reboot -debugcon stdio -icount shift=6,sleep=off';
    const exit = '-device isa-debug-exit,iobase=0x501';
    return execFileSync('qemu-system-i386', ['-kernel', file, ...options.split(' '), ...exit.split(' ')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    }).toString('latin1');
  } catch (error) {
    const { status, stdout } = error as { status: number | null; stdout: Buffer };
    if (status !== 1) throw error;
    return stdout.toString('latin1');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * What QEMU leaves out, and the data sheets say: MSR tells changes of looped-back lines; the status of the 8042 tells whether
 * a command or data was written last.
 */
const leftOut = (name: string): number =>
  name.startsWith('MSR') ? 0x0f : name.endsWith(': status') ? 0x08 : 0;

const named = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((value, n) => `${NAMES[n]}: ${(Number.parseInt(value, 16) & ~leftOut(NAMES[n])).toString(16)}`);

it.skipIf(!hasNasm() || !available('qemu-system-i386', ['--version']))(
  'read as QEMU’s do',
  () => {
    const image = program();
    const theirs = named(onQemu(image));
    expect(theirs.length).toBe(NAMES.length);
    expect(named(onRingside(image))).toEqual(theirs);
  },
  120_000,
);

// Penguin on machines that nobody here wrote: NASM assembles both builds, QEMU boots the native one, and the shell is
// driven through the serial port as a user would.
import { expect, test } from 'vitest';
import { installed, nasm, preprocessed } from '../testing/nasm.ts';
import { qemu } from '../testing/qemu.ts';

const NASM = installed('nasm');
const QEMU = installed('qemu-system-i386');
if (!NASM) console.warn('Penguin is not assembled here: nasm is not installed');
if (!QEMU) console.warn('Penguin is not booted here: qemu-system-i386 is not installed');

/** What a command printed: from the line where it was typed to the next prompt. */
function output(serial: string, command: string): string {
  const start = serial.indexOf(`penguin# ${command}\n`);
  expect(start, `${command} was typed`).toBeGreaterThanOrEqual(0);
  const from = start + `penguin# ${command}\n`.length;
  const end = serial.indexOf('penguin# ', from);
  return serial.slice(from, end < 0 ? undefined : end);
}

test.skipIf(!NASM)('both builds come from one source, without a warning, and stay small', () => {
  for (const main of ['penguin/penguin-native.asm', 'penguin/penguin-xen.asm', 'hello-xen.asm']) {
    const { bytes } = nasm(main);
    expect([...bytes.subarray(0, 4)], `${main} is an ELF file`).toEqual([0x7f, 0x45, 0x4c, 0x46]);
    expect(bytes.length).toBeLessThan(200_000);
  }
});

test.skipIf(!NASM)('the image says itself how much of the file and of memory it needs', () => {
  for (const main of ['penguin/penguin-native.asm', 'penguin/penguin-xen.asm', 'hello-xen.asm']) {
    const { bytes } = nasm(main);
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(52, true), 'the first program header is PT_LOAD').toBe(1);
    expect(view.getUint32(52 + 16, true), 'p_filesz').toBe(bytes.length);
    expect(view.getUint32(52 + 20, true), 'p_memsz').toBeGreaterThanOrEqual(bytes.length);
  }
});

test.skipIf(!NASM)('the Xen build is free of instructions that fault or lie at ring 1', () => {
  // They stand in native/ only, and in the crash program, which wants the fault.
  const text = preprocessed('penguin/penguin-xen.asm');
  const kernel = text.slice(0, text.indexOf('hello_program:'));
  expect(kernel.length).toBeGreaterThan(10_000);
  const forbidden =
    /^\s*(cli|sti|hlt|pushfd?|popfd?|lgdt|lidt|ltr|lldt|sgdt|sidt|smsw|lmsw|invlpg|in|out|wrmsr|rdmsr|clts)\b|\bcr[0-4]\b/m;
  expect(forbidden.exec(kernel)?.[0]).toBeUndefined();
});

test.skipIf(!NASM || !QEMU)(
  'boots, runs programs, survives their mistakes and switches itself off',
  async () => {
    const { path } = nasm('penguin/penguin-native.asm');
    const commands = [
      'uname',
      'primes 1000',
      'forkwait 20',
      'ps',
      'syscalls 100',
      'memory',
      'memory 256',
      'memory',
    ];
    commands.push(
      'crash',
      'crash read',
      'crash kernel',
      'crash divide',
      'crash cli',
      'crash opcode',
      'memory 100000',
    );
    commands.push(
      'nosuch',
      'cat /etc/rings',
      'ls /etc',
      'echo one two',
      'hello',
      'sleep 1',
      'sleep 1 &',
      'kill 1',
    );
    commands.push('uptime', 'memory', 'halt');
    const { serial, typed, ended } = await qemu(path, 'penguin# ', commands);
    expect(typed, serial).toBe(commands.length);
    expect(ended, 'halt switches the machine off').toBe(true);
    const said = (command: string) => output(serial, command);

    expect(serial).toMatch(/^Penguin \d+\.\d+ native: a small Linux-like kernel/m);
    expect(serial).toMatch(/00100000 - [0-9A-F]{8} usable/);
    expect(serial).toContain('Welcome to Penguin.');
    expect(said('uname')).toMatch(/^Penguin penguin .* i686/);
    expect(said('primes 1000')).toMatch(/^168 primes up to 1000, the largest 997: \d+ cycles/);
    expect(said('forkwait 20')).toMatch(/^20 times fork and wait: \d+ cycles, \d+ each/);
    expect(said('syscalls 100')).toMatch(/^100 times getpid: \d+ cycles, \d+ each/);
    for (const name of ['idle', 'init', 'sh', 'ps']) expect(said('ps')).toMatch(new RegExp(` ${name}$`, 'm'));
    expect(said('memory 256')).toMatch(/^64 pages touched: \d+ cycles, \d+ each/);

    expect(said('crash')).toMatch(/\] page fault at BAD00000 \(write, no such page\), eip 08048[0-9A-F]{3}/);
    expect(said('crash')).toContain('killed by signal 11');
    expect(said('crash read')).toContain('page fault at 00000000 (read, no such page)');
    expect(said('crash kernel')).toContain('page fault at C0100000 (read, no right to it)');
    expect(said('crash divide')).toContain('divide error');
    expect(said('crash divide')).toContain('killed by signal 8');
    expect(said('crash cli')).toContain('general protection fault');
    expect(said('crash opcode')).toContain('killed by signal 4');
    expect(said('memory 100000')).toContain('out of memory');
    expect(said('nosuch')).toContain('nosuch: command not found');
    expect(said('cat /etc/rings')).toContain('ring 0');
    expect(said('ls /etc')).toContain('motd');
    expect(said('echo one two')).toContain('one two');
    expect(said('hello')).toContain('Hello from ring 3!');
    expect(said('sleep 1 &')).toMatch(/^\[\d+\]/);
    expect(said('kill 1')).toContain('no such process');

    // Whatever was forked, copied, killed or refused: every frame has come back.
    const free = [...serial.matchAll(/MemFree: +(\d+) kB/g)].map((match) => Number(match[1]));
    expect(free.length).toBe(3);
    expect(free[1]).toBe(free[0]);
    expect(said('uptime')).toMatch(/^up [1-9]\d*\.\d\d s/);
    expect(said('halt')).toContain('System halted.');
  },
);

test.skipIf(!NASM || !QEMU)(
  'Ctrl-C ends what the shell waits for; Ctrl-U and backspace edit the line',
  async () => {
    const { path } = nasm('penguin/penguin-native.asm');
    const { serial, ended } = await qemu(path, 'penguin# ', [
      ['primes 100000000', '\x03'],
      ['sleep 1000', '\x03'],
      ['forkwait 1000000', '\x03'],
      'wrong\x15echo righxx\x7f\x7ft',
      'reboot',
    ]);
    expect(serial.match(/killed by signal 2/g)).toHaveLength(3);
    expect(serial).toContain('right \n');
    expect(serial).toContain('Restarting system.');
    expect(ended, 'reboot resets the machine').toBe(true);
  },
);

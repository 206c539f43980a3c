// The oracle for the native guest: Debian's NASM assembles, QEMU runs. For tests only; nothing of the page uses it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GUESTS = fileURLToPath(new URL('../', import.meta.url));

/** True when a program of that name starts on this machine. */
export function installed(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Assembles a main file below src/guests/ with NASM as the guests' own comments say. Throws with NASM's messages. */
export function nasm(main: string): { path: string; bytes: Uint8Array } {
  const path = join(mkdtempSync(join(tmpdir(), 'guest-')), 'guest.elf');
  const run = spawnSync('nasm', ['-f', 'bin', '-w+all', '-I', './', '-o', path, main], {
    cwd: GUESTS,
    encoding: 'utf8',
  });
  if (run.status !== 0 || run.stderr) throw new Error(`nasm ${main}:\n${run.stderr}`);
  return { path, bytes: new Uint8Array(readFileSync(path)) };
}

/** The source as NASM's preprocessor leaves it: macros expanded, comments gone. */
export function preprocessed(main: string): string {
  const run = spawnSync('nasm', ['-E', '-I', './', main], {
    cwd: GUESTS,
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  if (run.status !== 0) throw new Error(`nasm -E ${main}:\n${run.stderr}`);
  return run.stdout;
}

export interface QemuRun {
  /** What came out of the serial port. */
  readonly serial: string;
  /** Commands that were given before time was up. */
  readonly typed: number;
  /** QEMU ended by itself: the guest switched the machine off, or asked for a reset. */
  readonly ended: boolean;
}

/** A line to type when the prompt appears, and perhaps keys to press half a second later. */
export type Command = string | readonly [line: string, later: string];

/** Boots a multiboot kernel and types each command when the prompt appears. @param seconds patience */
export function qemu(
  kernel: string,
  prompt: string,
  commands: readonly Command[],
  seconds = 40,
): Promise<QemuRun> {
  const args = ['-kernel', kernel, '-m', '16', '-display', 'none', '-monitor', 'none', '-serial', 'stdio'];
  const process = spawn('qemu-system-i386', [...args, '-no-reboot'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let serial = '';
  let read = 0;
  let typed = 0;
  let late = false;
  process.stdin.on('error', () => {}); // it may end while we type
  process.stdout.setEncoding('latin1').on('data', (text: string) => {
    serial += text;
    for (let at = serial.indexOf(prompt, read); at >= 0; at = serial.indexOf(prompt, read)) {
      read = at + prompt.length;
      if (typed < commands.length) type(commands[typed++]);
    }
  });
  const type = (command: Command) => {
    const [line, later] = typeof command === 'string' ? [command] : command;
    process.stdin.write(`${line}\r`);
    if (later) setTimeout(() => process.stdin.write(later), 500);
  };
  const patience = setTimeout(() => {
    late = true;
    process.kill();
  }, seconds * 1000);
  return new Promise((resolve, reject) => {
    process.on('error', reject);
    process.on('close', () => {
      clearTimeout(patience);
      resolve({ serial: serial.replaceAll('\r\n', '\n'), typed, ended: !late });
    });
  });
}

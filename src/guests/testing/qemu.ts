// The oracle for what a guest does: QEMU runs the same image. Either with a prompt to type at, its serial port on the
// standard streams, or with its monitor there, the serial port in a file and pictures by `screendump`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Picture {
  width: number;
  height: number;
  /** Red, green, blue. */
  pixels: Uint8Array;
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Boots an image; `end()` must be called, whatever the test found. */
export function bootQemu(image: Uint8Array) {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-qemu-'));
  const file = (name: string) => join(dir, name);
  writeFileSync(file('image'), image);
  const machine = [
    '-m',
    '16',
    '-display',
    'none',
    '-no-reboot',
    '-rtc',
    'base=2005-08-23T09:41:00',
    '-kernel',
    file('image'),
  ];
  const child = spawn(
    'qemu-system-i386',
    [...machine, '-serial', `file:${file('serial')}`, '-monitor', 'stdio'],
    {
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  let over = false;
  const ended = new Promise<number | null>((resolve) =>
    child.on('exit', (code) => {
      over = true;
      resolve(code);
    }),
  );
  const serial = () => readIfThere(file('serial'))?.toString('latin1') ?? '';
  const command = (text: string) => over || child.stdin.write(`${text}\n`);
  return {
    serial,
    command,
    /** Exit status, when it switches itself off. */
    ended,
    /** Waits for text on the serial port, half a minute at most. */
    async until(pattern: RegExp): Promise<void> {
      for (let i = 0; i < 300 && !over && !pattern.test(serial()); i++) await wait(100);
    },
    wait,
    async screen(): Promise<Picture> {
      command(`screendump ${file('screen.ppm')}`);
      for (let i = 0; i < 100; i++) {
        await wait(100);
        const picture = parsePicture(readIfThere(file('screen.ppm')));
        if (picture) return picture;
      }
      throw new Error('QEMU gave no picture');
    },
    end(): void {
      if (!over) child.kill('SIGKILL');
    },
  };
}

/** A binary PPM, or null while it is not complete. */
function parsePicture(bytes: Buffer | null): Picture | null {
  const header = /^P6\s+(\d+) (\d+)\s+255\s/.exec(bytes?.subarray(0, 40).toString('latin1') ?? '');
  if (!bytes || !header) return null;
  const [width, height] = [Number(header[1]), Number(header[2])];
  const pixels = bytes.subarray(header[0].length);
  return pixels.length === width * height * 3 ? { width, height, pixels } : null;
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

// A QEMU machine for the tests of guests: serial port into a file, monitor on stdin, pictures by `screendump`.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** True when a program can be started: tests that need one skip without it. */
export function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

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

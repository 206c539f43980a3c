// Unit tests that KVM's developers run as guests, built for 32 bits, as multiboot kernels: real mode instruction by
// instruction, hardware task switching through gates, calls, jumps, interrupts, faults and virtual-8086 mode; interrupts, NMIs
// and exceptions that meet each other; messages between processors. They say PASS or FAIL on the serial port, and end by port F4h.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './boot.ts';
import type { Request } from './drive.ts';
import { build, repository } from './git.ts';

const source = repository({
  url: 'https://gitlab.com/kvm-unit-tests/kvm-unit-tests.git',
  variable: 'RINGSIDE_KVM_UNIT_TESTS',
  needs: ['make', 'gcc', 'objcopy'],
});
const missing = 'missing' in source ? source.missing : null;
if (missing) console.warn(`kvm-unit-tests are skipped: ${missing}`);

/** What a test needs beyond a processor with an APIC. */
const TESTS: Readonly<Record<string, Partial<Request>>> = {
  realmode: { handlers: true },
  taskswitch: {},
  taskswitch2: {},
  eventinj: {},
  cmpxchg8b: {},
  setjmp: {},
  tsc: {},
  smptest: { processors: 2 },
};
const NAMES = Object.keys(TESTS);
/** QEMU's exit code for "0 failures", and none at all from a test that switches off in another way. */
const SUCCESS = [1, undefined];

const fileOf = (folder: string, name: string) =>
  ['elf', 'flat'].map((end) => join(folder, `x86/${name}.${end}`)).find((file) => existsSync(file));

describe.skipIf(missing)('kvm-unit-tests', () => {
  const folder = 'folder' in source ? source.folder : '';
  const temporary = mkdtempSync(join(tmpdir(), 'ringside-kvm-'));
  /** What the suite would otherwise ask QEMU's firmware configuration device for. */
  const environment = (processors: number) => {
    const file = join(temporary, `environment-${processors}`);
    writeFileSync(file, `NR_CPUS=${processors}\nMEMLIMIT=128\nTEST_DEVICE=1\n`);
    return file;
  };
  beforeAll(() => {
    if (!folder || NAMES.some((name) => fileOf(folder, name))) return;
    build(folder, './configure', '--arch=i386');
    build(folder, 'make', ...NAMES.map((name) => `x86/${name}.elf`));
  });
  afterAll(() => rmSync(temporary, { recursive: true }));

  it.for(NAMES)('%s', (name, { skip }) => {
    const image = fileOf(folder, name);
    if (!image) return skip('it is not in the folder that was named');
    const { text, ending, exitCode } = run(name, {
      image,
      initrd: environment(TESTS[name].processors ?? 1),
      memoryMiB: 128,
      apic: true,
      testDevice: true,
      // It ends by itself.
      talk: [['there is nothing to wait for', '']],
      maxSeconds: 300,
      ...TESTS[name],
    });
    expect(ending, text.slice(-2000)).toBe('the guest switched the machine off');
    expect(text).not.toMatch(/^FAIL|unhandled|[1-9]\d* unexpected failures/im);
    expect(SUCCESS).toContain(exitCode);
  });
});

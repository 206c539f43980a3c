// Unit tests that KVM's developers run as guests, built for 32 bits, as multiboot kernels: hardware task switching through
// gates, calls, jumps, interrupts, faults and virtual-8086 mode; interrupts, NMIs and exceptions that meet each other. They say
// PASS or FAIL on the serial port.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from './boot.ts';
import { build, repository } from './git.ts';

const source = repository({
  url: 'https://gitlab.com/kvm-unit-tests/kvm-unit-tests.git',
  variable: 'RINGSIDE_KVM_UNIT_TESTS',
  needs: ['make', 'gcc', 'objcopy'],
});
const missing = 'missing' in source ? source.missing : null;
if (missing) console.warn(`kvm-unit-tests are skipped: ${missing}`);

const TESTS = ['taskswitch2', 'eventinj'];

const fileOf = (folder: string, name: string) =>
  ['elf', 'flat'].map((end) => join(folder, `x86/${name}.${end}`)).find((file) => existsSync(file));

describe.skipIf(missing)('kvm-unit-tests', () => {
  const folder = 'folder' in source ? source.folder : '';
  beforeAll(() => {
    if (!folder || TESTS.every((name) => fileOf(folder, name))) return;
    build(folder, './configure', '--arch=i386');
    build(folder, 'make', ...TESTS.map((name) => `x86/${name}.elf`));
  });

  it.each(TESTS)('%s', (name) => {
    const talk: [string, string][] = [['SUMMARY: ', '']];
    const image = fileOf(folder, name)!;
    const { text, finished } = run(name, { image, memoryMiB: 128, apic: true, talk, maxSeconds: 120 });
    expect(finished, text.slice(-2000)).toBe(true);
    expect(text).toMatch(/^PASS: /m);
    expect(text).not.toMatch(/^FAIL|unhandled|[1-9]\d* unexpected failures/m);
  });
});

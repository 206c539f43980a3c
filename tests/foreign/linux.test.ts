// Debian's own 32-bit kernels, unmodified, with a small initrd, to a shell on the serial port: the one for old processors and
// the one with PAE, on the bare machine, under VT-x and SVM with shadow and nested paging and under binary translation, once as a
// guest of Hyper-V's interface, and on two processors. Under trap-and-emulate it fails, and what made it fail is told.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACPI, boot, PLAIN, PROMPT, type Talk } from './boot.ts';
import { initrd } from './cpio.ts';
import { dependency, unpack, whyNoPackages } from './debian.ts';
import type { Request } from './drive.ts';

const missing = whyNoPackages();
if (missing) console.warn(`foreign kernels are skipped: ${missing}`);

const TALK: Talk = [
  [PROMPT, 'uname -a\n'],
  [PROMPT, 'cat /proc/cpuinfo\n'],
  [PROMPT, 'echo $((6 * 7)) $(seq 1 1000 | md5sum)\n'],
  [PROMPT, 'dmesg | grep -i -e hypervisor -e clocksource\n'],
  [PROMPT, 'sleep 0.5; head -1 /proc/meminfo; echo do""ne\n'],
  ['done', ''],
];

const NESTED = { paging: 'nested', processor: 'nehalem' } as const;
/** The kernel with PAE where that makes a difference: on the bare machine, and to shadow tables. */
const WAYS: [string, NonNullable<Request['technique']>, Partial<Request>][] = [
  ['linux-image-686', 'native', {}],
  ['linux-image-686-pae', 'native', {}],
  ['linux-image-686', 'vt-x', {}],
  ['linux-image-686-pae', 'vt-x', {}],
  ['linux-image-686', 'svm', {}],
  ['linux-image-686-pae', 'svm', {}],
  ['linux-image-686', 'vt-x', NESTED],
  ['linux-image-686', 'svm', NESTED],
  ['linux-image-686', 'vt-x', { enlightenments: ['hyper-v'] }],
  ['linux-image-686', 'binary-translation', {}],
];

describe.skipIf(missing)('a stock Debian kernel boots to a shell on the serial port', () => {
  const disk = () => initrd(readFileSync(join(unpack('busybox-static'), 'bin/busybox')));

  it.each(WAYS)('%s, %s', (packageName, technique, more) => {
    const { text, finished, ending } = boot(packageName, technique, disk(), TALK, more);
    expect([finished, ending], text.slice(-2000)).toEqual([true, '']);
    expect(text).toContain('ringside: init runs');
    const release = dependency(packageName).replace('linux-image-', '');
    expect(text).toMatch(new RegExp(`Linux \\(none\\) ${release} #1 SMP .* i686 GNU/Linux`));
    // /proc/cpuinfo says what CPUID said.
    expect(text).toMatch(/vendor_id\s*: RingsideIA32/);
    expect(text).toMatch(/cpu family\s*: 6/);
    expect(text).toMatch(/fpu\s*: yes/);
    // Shadow tables of a kernel at ring 1 follow two levels only.
    expect(/flags.*\bpae\b/.test(text)).toBe(technique !== 'binary-translation');
    expect(text).toContain('42 53d025127ae99ab79e8502aae2d9bea6');
    expect(text).not.toMatch(/BUG:|Oops|Call Trace|general protection|invalid opcode/);
    // It has found the hypervisor where there is one to be found, and takes its time from the page that both share.
    expect(/hypervisor detected/i.test(text)).toBe(more.enlightenments !== undefined);
    if (more.enlightenments)
      expect(text).toContain('clocksource: Switched to clocksource hyperv_clocksource_tsc_page');
  });

  it('linux-image-686 fails under trap-and-emulate: PUSHF and POPF ran silently wrong, and the hypervisor is in its way', () => {
    const more = { commandLine: `${PLAIN} earlyprintk=serial,0x3f8,115200` };
    const talk: Talk = [
      ['PANIC: early exception 0x0d', ''],
      ['cr2 ', ''],
    ];
    const { text, finished, holes } = boot('linux-image-686', 'trap-and-emulate', disk(), talk, more);
    expect(finished, text.slice(-2000)).toBe(true);
    expect(holes.pushfd).toBeGreaterThan(0);
    expect(holes.popfd).toBeGreaterThan(0);
    // It reads its firmware's tables through early mappings, which it puts where the segments of a deprivileged kernel end.
    expect(text).toMatch(/PANIC: early exception 0x0d IP 60:c1[0-9a-f]{6} error 0/);
  });

  it('linux-image-686 with ACPI and APICs, on two processors', () => {
    const talk: Talk = [
      [PROMPT, 'cat /proc/interrupts; grep -c ^processor /proc/cpuinfo\n'],
      [PROMPT, 'for i in 1 2; do (seq 1 20000 | md5sum) & done; wait; echo fin""ished\n'],
      ['finished', ''],
    ];
    const more = { processors: 2, commandLine: ACPI, memoryMiB: 128 };
    const { text, finished, ending } = boot('linux-image-686', 'native', disk(), talk, more);
    expect([finished, ending], text.slice(-2000)).toEqual([true, '']);
    expect(text).toMatch(/CPU0\s+CPU1/);
    expect(text).toMatch(/IO-APIC\s+\d+-edge\s+ttyS0/);
    // Both processors have had their own timer's interrupts.
    expect(text).toMatch(/LOC:\s+[1-9]\d*\s+[1-9]\d*/);
    expect(text.match(/e071f707df7bbeee2a6a1eb48011ddd0/g)).toHaveLength(2);
    expect(text).not.toMatch(/BUG:|Oops|Call Trace|general protection|invalid opcode/);
  });
});

// Debian's own 32-bit kernels, unmodified, with a small initrd, to a shell on the serial port: the one for old processors and
// the one with PAE on the bare machine, and the first of them under VT-x with shadow paging.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initrd } from './cpio.ts';
import { dependency, unpack, whyNoPackages } from './debian.ts';
import type { Answer, Request } from './drive.ts';

const missing = whyNoPackages();
if (missing) console.warn(`foreign kernels are skipped: ${missing}`);

/**
 * Without these the kernel does the same, later: it looks for busses that are not there by waiting (noisapnp), and proves
 * its own cryptography (a minute of arithmetic). The time-stamp counter is the only good clock of this board.
 */
const COMMAND_LINE =
  'console=ttyS0,115200 acpi=off nosmp noapic nolapic tsc=reliable no_timer_check noisapnp cryptomgr.notests';
const PROMPT = '/ # ';

const folder = mkdtempSync(join(tmpdir(), 'ringside-foreign-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Boots in another process, where the code runs as it does for users. */
function boot(packageName: string, technique: Request['technique'], talk: Request['talk']): Answer {
  const files = unpack(dependency(packageName));
  const kernel = readdirSync(join(files, 'boot')).find((name) => name.startsWith('vmlinuz'))!;
  const request: Request = {
    kernel: join(files, 'boot', kernel),
    initrd: join(folder, 'initrd.gz'),
    technique,
    commandLine: COMMAND_LINE,
    memoryMiB: 64,
    clockHz: 3_800_000_000,
    talk,
    maxSeconds: 800,
  };
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'tests/foreign/drive.ts', join(folder, 'request.json')],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  if (!stdout) throw new Error(stderr);
  const answer = JSON.parse(stdout) as Answer;
  console.log(
    `${packageName}, ${technique}: ${(answer.instructions / 1e6).toFixed(0)} million instructions, ${answer.virtualSeconds.toFixed(2)} s of its own time, ${answer.seconds.toFixed(0)} s here`,
  );
  return answer;
}

const TALK: Request['talk'] = [
  [PROMPT, 'uname -a\n'],
  [PROMPT, 'cat /proc/cpuinfo\n'],
  [PROMPT, 'echo $((6 * 7)) $(seq 1 1000 | md5sum)\n'],
  [PROMPT, 'sleep 0.5; head -1 /proc/meminfo; echo do""ne\n'],
  ['done', ''],
];

describe.skipIf(missing)('a stock Debian kernel boots to a shell on the serial port', () => {
  beforeAll(() => {
    const busybox = readFileSync(join(unpack('busybox-static'), 'bin/busybox'));
    writeFileSync(join(folder, 'initrd.gz'), initrd(busybox));
  });

  it.each([
    ['linux-image-686', 'native'],
    ['linux-image-686-pae', 'native'],
    ['linux-image-686', 'vt-x'],
  ] as const)('%s, %s', (packageName, technique) => {
    const { text, finished, ending } = boot(packageName, technique, TALK);
    expect([finished, ending], text.slice(-2000)).toEqual([true, '']);
    expect(text).toContain('ringside: init runs');
    const release = dependency(packageName).replace('linux-image-', '');
    expect(text).toMatch(new RegExp(`Linux \\(none\\) ${release} #1 SMP .* i686 GNU/Linux`));
    // /proc/cpuinfo says what CPUID said.
    expect(text).toMatch(/vendor_id\s*: RingsideIA32/);
    expect(text).toMatch(/cpu family\s*: 6/);
    expect(text).toMatch(/fpu\s*: yes/);
    expect(text).toMatch(technique === 'native' ? /flags.*\bpae\b/ : /flags(?!.*\bpae\b)/);
    expect(text).toContain('42 53d025127ae99ab79e8502aae2d9bea6');
    expect(text).not.toMatch(/BUG:|Oops|Call Trace|general protection|invalid opcode/);
  });
});

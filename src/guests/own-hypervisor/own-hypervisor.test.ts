// The hypervisors of this folder on the bare machine: what they print about their guest is what the trace has recorded, on
// silicon of either generation; NASM makes the same bytes of them; and the guest cannot tell how it is run.
import { describe, expect, it } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import { buildGuest } from '../../session/library.ts';
import { results } from '../../session/result.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';
import { installed, nasm } from '../testing/nasm.ts';

const library = nodeLibrary();
const KINDS = ['vmx', 'svm'] as const;

function run(kind: (typeof KINDS)[number], processor: string) {
  const session = new Session(
    parseScenario({
      name: 'own',
      title: 'own',
      processor,
      memoryMiB: 16,
      domains: [{ name: 'own', guest: `own-hypervisor-${kind}`, technique: 'native', memoryMiB: 16 }],
    }),
    library,
  );
  session.bootAll();
  const end = session.now + 5 * session.host.pc.cost.clockHz;
  while (session.now < end && session.view(0)!.state === 'running') session.run(session.now + 1_000_000);
  const [result] = results(session);
  return { result, serial: result.serial.replaceAll('\r', '') };
}

/** `13 x io` → ['io', 13]; without the spelling that only tables of people have. */
const counted = (serial: string): [string, number][] =>
  [...serial.matchAll(/^(\d+) x (.+)$/gm)].map(([, count, name]) => [name, Number(count)]);
const byName = (a: [string, number], b: [string, number]) => (a[0] < b[0] ? -1 : 1);

describe.each(KINDS)('own-hypervisor/%s.asm', (kind) => {
  it.skipIf(!installed('nasm'))('is the same program to NASM (skipped without nasm)', () => {
    const built = buildGuest(library.find(`own-hypervisor-${kind}`)!, library, kind);
    expect(built.image).toBeTruthy();
    const theirs = nasm(`own-hypervisor/${kind}.asm`).bytes;
    expect(Buffer.compare(Buffer.from((built as { bytes: Uint8Array }).bytes), Buffer.from(theirs))).toBe(0);
  });

  it.each(['prescott', 'nehalem'])('prints the exits that the trace has, on a %s', (processor) => {
    const { result, serial } = run(kind, processor);
    expect(result.reason).toBe('the guest switched the machine off');
    expect(serial).toContain('The guest said: RRingsideIA32\n');
    const traced = result.exits.map(({ reason, count }): [string, number] => [reason, count]);
    expect(counted(serial).sort(byName)).toEqual(traced.sort(byName));
    // It has spent time on each that it came back from.
    const often = result.exits.filter(({ count }) => count > 1);
    expect(often.length).toBeGreaterThan(0);
    for (const { min } of often) expect(min).toBeGreaterThan(100);
    // One line for each, in the order in which they came.
    const lines = serial.match(/^[0-9A-F]{4} {2}\S+$/gm) ?? [];
    expect(lines).toHaveLength(traced.reduce((sum, [, count]) => sum + count, 0));
  });
});

describe('the guest of both', () => {
  it('leaves for what it must, and no more, where the silicon has real mode', () => {
    const names = ({ serial }: ReturnType<typeof run>) => counted(serial).map(([, count]) => count);
    expect(names(run('vmx', 'nehalem'))).toEqual([1, 1, 13]);
    expect(names(run('svm', 'nehalem'))).toEqual([1, 1, 13]);
    expect(names(run('svm', 'prescott'))).toEqual([1, 1, 13]);
    // In virtual-8086 mode each CLI, INT, IRET, OUT, STI and HLT is a #GP.
    expect(names(run('vmx', 'prescott'))).toEqual([42, 1]);
  });
});

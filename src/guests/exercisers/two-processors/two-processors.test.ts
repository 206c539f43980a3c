// A paravirtualized guest with two virtual processors: the first starts the second, each sends the other an event, both print.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { inProcess } from '../../../cli/testing.ts';
import { miscounts, violations } from '../../../hypervisor/paravirtualization/invariants.ts';
import { PvHost, withPae } from '../../../hypervisor/paravirtualization/testing.ts';
import { parseImage } from '../../../images/load.ts';
import { installed, nasm } from '../../testing/nasm.ts';
import '../../../hypervisor/xen/provide.ts';

const GUESTS = join(import.meta.dirname, '../..');
const MAIN = 'exercisers/two-processors/two-processors.asm';
const assembly = assemble((file) => {
  try {
    return readFileSync(join(GUESTS, file), 'utf8');
  } catch {
    return undefined;
  }
}, MAIN);
const LINES = [
  'first: I start the second',
  'second: here I am',
  'second: your event came',
  'first: and so did yours',
  'first: it is down again',
];

function run(vcpus: number, pae = false) {
  const host = new PvHost();
  const image = parseImage(assembly.bytes, 'two-processors');
  const guest = host.boot(pae ? withPae(image) : image, 1, { vcpus });
  host.run(100_000_000);
  return { host, guest, text: guest.consoleOutput.trimEnd().split('\r\n') };
}

describe('a guest with two virtual processors', () => {
  it.skipIf(!installed('nasm'))('is what NASM makes of it (skipped without nasm)', () => {
    expect(assembly.diagnostics).toEqual([]);
    expect(Buffer.compare(Buffer.from(assembly.bytes), nasm(MAIN).bytes)).toBe(0);
  });

  it.each([false, true])('has both at work: PAE %s', (pae) => {
    const { host, guest, text } = run(2, pae);
    expect(text).toEqual(LINES);
    expect(guest.ending).toBe('the guest shut down');
    expect(guest.vcpus.every((vcpu) => vcpu.instructions > 50)).toBe(true);
    const { types } = host.technique as unknown as { types: Parameters<typeof miscounts>[1] };
    expect(violations(host.hypervisor, host.kept(guest))).toEqual([]);
    expect(miscounts(host.hypervisor, types, host.kept(guest))).toEqual([]);
  });

  it('finds out when it has one only', () => {
    expect(run(1).text).toEqual(['there is no second processor (--vcpus 2)']);
  });

  it('has a neighbour that has two as well: neither hears the other’s events', () => {
    const host = new PvHost();
    const image = parseImage(assembly.bytes, 'two-processors');
    const guests = [1, 2].map((id) => host.boot(id === 1 ? image : withPae(image), id, { vcpus: 2 }));
    host.run(100_000_000);
    for (const guest of guests) expect(guest.consoleOutput.trimEnd().split('\r\n')).toEqual(LINES);
  });

  it('runs from the command line with --vcpus 2', async () => {
    const command = ['run', join(GUESTS, MAIN), '--technique', 'paravirtualization'];
    const { status, out } = await inProcess(...command, '--vcpus', '2');
    expect([status, out]).toEqual([0, expect.stringContaining('second: your event came')]);
    const { error } = await inProcess('run', 'hello-xen', '--vcpus', '9');
    expect(error).toMatch(/vcpus: .*8/);
    const other = await inProcess('run', 'penguin-native', '--technique', 'vt-x', '--vcpus', '2');
    expect(other.error).toMatch(/vcpus: only a paravirtualized guest/);
  });
});

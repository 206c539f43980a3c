// Two guests on one host with a page in common, by a grant and an event channel between them: both in assembly, each sees
// what the other writes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { miscounts, violations } from '../../../hypervisor/paravirtualization/invariants.ts';
import { PvHost, withPae } from '../../../hypervisor/paravirtualization/testing.ts';
import { parseImage } from '../../../images/load.ts';
import { installed, nasm } from '../../testing/nasm.ts';
import '../../../hypervisor/xen/provide.ts';

const GUESTS = join(import.meta.dirname, '../..');
const main = (name: string) => `exercisers/shared-page/${name}.asm`;
function assembled(name: string) {
  const { bytes, diagnostics } = assemble((file) => {
    try {
      return readFileSync(join(GUESTS, file), 'utf8');
    } catch {
      return undefined;
    }
  }, main(name));
  expect(diagnostics).toEqual([]);
  return bytes;
}

describe('two guests with a page in common', () => {
  it.skipIf(!installed('nasm'))('are what NASM makes of them (skipped without nasm)', () => {
    for (const name of ['writer', 'reader'])
      expect(Buffer.compare(Buffer.from(assembled(name)), nasm(main(name)).bytes), name).toBe(0);
  });

  it.each([
    [false, ['writer', 'reader']],
    [true, ['writer', 'reader']],
    [false, ['reader', 'writer']],
  ])('read what the other writes (PAE %s, first %s)', (pae, order) => {
    const host = new PvHost();
    const guests = order.map((name, id) => {
      const image = parseImage(assembled(name), name);
      const commandLine = `${2 - id}`;
      return host.boot(pae ? withPae(image) : image, id, { memoryMiB: 2, commandLine });
    });
    host.run(100_000_000);
    const text = Object.fromEntries(order.map((name, n) => [name, guests[n].consoleOutput]));
    expect(text).toEqual({
      writer: [
        'writer: here is a page for you\r\n',
        'writer: the answer is and what the other writes, too\r\n',
        'writer: my entry says that it is read and written\r\n',
        'writer: my entry says that nobody uses it any more\r\n',
      ].join(''),
      reader: 'reader: your page says what one of us writes, both of us have\r\nreader: unmapped\r\n',
    });
    expect(guests.map((guest) => guest.ending)).toEqual(['the guest shut down', 'the guest shut down']);
    const { types } = host.technique as unknown as { types: Parameters<typeof miscounts>[1] };
    for (const guest of guests) {
      expect(violations(host.hypervisor, host.kept(guest))).toEqual([]);
      expect(miscounts(host.hypervisor, types, host.kept(guest))).toEqual([]);
    }
  });
});

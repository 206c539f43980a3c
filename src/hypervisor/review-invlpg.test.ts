// INVLPG that leaves a table out of sync: what a shadow that is out of date must not bring back.
import { describe, expect, it } from 'vitest';
import { Bare, type Machine, Shadowed, WINDOW } from './testing/shadowed-twin.ts';

const X = 0;
const Y = 0x1000;
/** Table A is in frame 4; X and Y are its first two pages, at 20h and 21h, below PDE 0. */
const PDE = WINDOW;
const A = WINDOW + 0x4000;

function both(story: (machine: Machine) => string[]): void {
  expect(story(new Shadowed())).toEqual(story(new Bare()));
}

function begin(machine: Machine): void {
  machine.store(A, 0x20007);
  machine.store(A + 4, 0x21007);
  machine.store(PDE, 0x4007);
  machine.reload();
  machine.read(X);
  machine.read(Y);
}

/** As Linux does: entries, then the table, then INVLPG of each page. */
function unmap(machine: Machine): void {
  machine.store(A, 0);
  machine.store(A + 4, 0);
  machine.store(PDE, 0);
  machine.invalidate(X);
  machine.invalidate(Y);
}

describe('INVLPG with a table out of sync', () => {
  it('a page table that is freed and used again has none of its old entries (each page invalidated after its PDE went)', () => {
    both((machine) => {
      begin(machine);
      unmap(machine);
      // The same frame is a table again, with one page in it.
      machine.store(A, 0x22007);
      machine.store(PDE, 0x4007);
      return [machine.read(X), machine.read(Y), machine.write(Y)];
    });
  });

  it('the same, at another place of the address space', () => {
    both((machine) => {
      begin(machine);
      unmap(machine);
      machine.store(A, 0x22007);
      machine.store(PDE + 8, 0x4007);
      return [machine.read(0x800000 + X), machine.read(0x800000 + Y)];
    });
  });

  it('a directory entry that loses its U bit for a while does not bring back what was invalidated meanwhile', () => {
    both((machine) => {
      begin(machine);
      machine.store(A + 8, 0x23007);
      machine.store(PDE, 0x4003);
      machine.invalidate(X);
      machine.invalidate(Y);
      machine.store(A + 4, 0x24007);
      machine.invalidate(Y);
      machine.store(PDE, 0x4007);
      machine.invalidate(X);
      machine.invalidate(Y);
      return [machine.read(X), machine.read(Y)];
    });
  });

  it('a table that is put below a second directory entry is new there', () => {
    both((machine) => {
      begin(machine);
      machine.store(A + 4, 0x24007);
      machine.store(PDE + 4, 0x4007);
      return [machine.read(0x400000 + X), machine.read(0x400000 + Y)];
    });
  });

  it('drops what is remembered of all directory entries, whatever page it names (SDM vol. 3 §4.10.4.1)', () => {
    both((machine) => {
      begin(machine);
      const Z = 0x3000;
      machine.store(PDE + 8, 0x4007);
      const seen = [machine.read(0x800000)];
      // Table B in frame 5 takes the place of A below PDE 0; no page of it but X and Y can be remembered.
      machine.store(WINDOW + 0x500c, 0x25007);
      machine.store(PDE, 0x5007);
      machine.invalidate(0x800000);
      machine.store(A + 12, 0x23007);
      return [...seen, machine.read(0x800000 + Z), machine.read(Z)];
    });
  });

  it('a large page that gets a reserved bit is a page fault after INVLPG', () => {
    both((machine) => {
      machine.store(PDE + 4, 0x87);
      const before = machine.read(0x400000 + 0x20000);
      machine.store(PDE + 4, 0x20a7);
      machine.invalidate(0x400000 + 0x20000);
      return [before, machine.read(0x400000 + 0x20000)];
    });
  });

  it('a large page that gets a reserved bit is a page fault after CR3', () => {
    both((machine) => {
      machine.store(PDE + 4, 0x87);
      const before = machine.read(0x400000 + 0x20000);
      machine.store(PDE + 4, 0x20a7);
      machine.reload();
      return [before, machine.read(0x400000 + 0x20000)];
    });
  });
});

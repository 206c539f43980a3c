import { beforeEach, describe, expect, it } from 'vitest';
import { GuestWork, MINE } from './guest-work.ts';
import type { SavedWork } from './saved-work.ts';

const original = new Map([
  ['main.asm', '%include "part.asm"\n%include "xen.inc"\nnop'],
  ['part.asm', 'one: nop'],
  ['unused.asm', 'nop'],
]);
const library = new Map([['include/xen.inc', 'X equ 1']]);

describe('the sources of a guest', () => {
  let saved: SavedWork[];
  let work: GuestWork;
  const make = (files = original) =>
    new GuestWork(
      'main.asm',
      [
        { label: 'original', files },
        { label: 'solution', files: new Map([['main.asm', 'hlt']]) },
      ],
      library,
      {
        change: (record) => saved.push(record),
      },
    );
  beforeEach(() => {
    saved = [];
    work = make();
  });

  it('a program is the main file and what it includes', () => {
    expect([...work.program(MINE).files.keys()]).toEqual(['main.asm', 'part.asm', 'include/xen.inc']);
    expect([...work.program('solution').files]).toEqual([['main.asm', 'hlt']]);
  });

  it('keeps what differs, and nothing else', () => {
    work.edit('part.asm', 'one: hlt');
    expect(work.text(MINE, 'part.asm')).toBe('one: hlt');
    expect(work.text('original', 'part.asm')).toBe('one: nop');
    expect(saved.at(-1)?.files).toEqual({ 'part.asm': 'one: hlt' });
    work.edit('part.asm', 'one: nop');
    expect(work.changed).toEqual([]);
    expect(saved.at(-1)?.files).toEqual({});
  });

  it('comes back after a reload, and tells when the original has changed meanwhile', () => {
    work.edit('part.asm', 'one: hlt');
    const again = make();
    again.restore(saved.at(-1)!);
    expect(again.text(MINE, 'part.asm')).toBe('one: hlt');
    expect(again.outdated).toEqual([]);
    const updated = make(new Map([...original, ['part.asm', 'one: nop ; better']]));
    updated.restore(saved.at(-1)!);
    expect(updated.text(MINE, 'part.asm')).toBe('one: hlt');
    expect(updated.outdated).toEqual(['part.asm']);
  });

  it('a reset can be undone', () => {
    work.edit('part.asm', 'one: hlt');
    work.edit('main.asm', 'nop');
    const before = work.reset();
    expect(work.text(MINE, 'part.asm')).toBe('one: nop');
    expect(saved.at(-1)?.files).toEqual({});
    work.undoReset(before);
    expect(work.text(MINE, 'part.asm')).toBe('one: hlt');
    expect(Object.keys(saved.at(-1)?.files ?? {})).toEqual(['part.asm', 'main.asm']);
  });

  it('knows which version runs', () => {
    expect(work.running).toBe('original');
    work.edit('part.asm', 'one: hlt');
    expect(work.running).toBe('original');
    work.setBooted(work.program(MINE).files);
    expect(work.running).toBe(MINE);
    work.edit('part.asm', 'one: cli');
    expect(work.running).toBeNull();
    expect(work.bootedText('part.asm')).toBe('one: hlt');
    // Booted by another room, which sends its own files only.
    work.setBooted(original);
    expect(work.running).toBe('original');
    work.setBooted(null);
    expect(work.running).toBe('original');
  });
});

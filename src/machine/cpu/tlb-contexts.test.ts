// Address spaces with tags of their own in one TLB (SDM vol. 3 §28.3, APM vol. 2 §15.16): whose translations are found, and
// what takes them away.
import { beforeEach, describe, expect, it } from 'vitest';
import { SHARED_BYTES } from '../memory/store.ts';
import { Right, Tlb, tlbSlot, Word } from './tlb.ts';
import { NO_ROOT, type TlbContext } from './tlb-context.ts';

const LINEAR = 0x12345000;
const PAGE = LINEAR >>> 12;
const ALL = Right.user | Right.write | Right.dirty;

let tlb: Tlb;
let a: TlbContext;
let b: TlbContext;

/** Enters a context as silicon does, with write protection on. */
const go = (context: TlbContext, mode = 1): void => tlb.enter(context, mode);
/** Leaves the current one. */
const leave = (mode = 1): void => {
  tlb.current.mode = mode;
};
const remember = (frame: number, rights = ALL): void => {
  tlb.insert(PAGE, frame, rights);
  tlb.insertCode(PAGE, frame, rights);
  tlb.tag(LINEAR, Word.read, false);
};
/** What the current context has of the page: by checks, for code, and by a fast tag. */
const known = () => ({
  data: tlb.rightsOf(PAGE) >= 0,
  code: tlb.codeOf(PAGE) >= 0,
  fast: tlb.has(LINEAR, Word.read, false),
});
const EVERYTHING = { data: true, code: true, fast: true };
const NOTHING = { data: false, code: false, fast: false };

beforeEach(() => {
  tlb = new Tlb(new ArrayBuffer(SHARED_BYTES), 0);
  a = tlb.contextOf(1, NO_ROOT);
  b = tlb.contextOf(2, NO_ROOT);
  go(a);
});

describe('two address spaces', () => {
  it('do not see each other’s translations; who comes back finds his own', () => {
    remember(0x7000);
    leave();
    go(b);
    expect(known()).toEqual(NOTHING);
    leave();
    go(a);
    expect(known()).toEqual(EVERYTHING);
    expect(tlb.physical(LINEAR)).toBe(0x7000);
  });

  it('do not cost each other entries: each has a whole TLB', () => {
    remember(0x7000);
    leave();
    go(b);
    remember(0x8000);
    leave();
    go(a);
    expect(known()).toEqual({ data: true, code: true, fast: false });
    expect(tlb.physical(LINEAR)).toBe(0x7000);
    // Another page of the same slot does replace it, as ever.
    const other = PAGE ^ (1 << 11) ^ 1;
    expect(tlbSlot(other)).toBe(tlbSlot(PAGE));
    tlb.insert(other, 0x9000, ALL);
    leave();
    go(b);
    expect(tlb.rightsOf(PAGE)).toBe(ALL);
    expect(tlb.physical(LINEAR)).toBe(0x8000);
    leave();
    go(a);
    expect(tlb.rightsOf(PAGE)).toBe(-1);
    expect(tlb.rightsOf(other)).toBe(ALL);
  });

  it('have global pages of their own', () => {
    remember(0x7000, ALL | Right.global);
    leave();
    go(b);
    expect(known()).toEqual(NOTHING);
    tlb.flushNonGlobal();
    tlb.flush();
    leave();
    go(a);
    expect(known()).toEqual(EVERYTHING);
    tlb.flushNonGlobal();
    expect(known()).toEqual({ data: true, code: true, fast: false });
    tlb.flush();
    expect(known()).toEqual(NOTHING);
  });

  it.each<[string, (context: TlbContext) => void]>([
    ['all of it', (context) => tlb.forget(context)],
    ['all but global pages', (context) => tlb.forgetNonGlobal(context)],
    ['a page', (context) => tlb.forgetPage(context, LINEAR)],
    ['a page of other 4 KiB, of a large page', (context) => tlb.forgetPage(context, LINEAR + 0x5000)],
  ])('forget %s one without the other, also while they do not run', (how, forget) => {
    const rights = how.includes('large') ? ALL | Right.large : ALL;
    remember(0x7000, rights);
    leave();
    go(b);
    // In the other's way, so that what is to be forgotten has had to give way.
    if (how === 'a page') remember(0x9000);
    forget(a);
    const generation = tlb.translations;
    leave();
    go(a);
    expect(tlb.translations, 'windows on code are opened anew').not.toBe(generation);
    expect(known()).toEqual(NOTHING);
    remember(0x8000, rights);
    leave();
    go(b);
    forget(b);
    leave();
    go(a);
    expect(known()).toEqual(EVERYTHING);
  });

  it('make their fast tags anew when what these hang on has changed: write protection, breakpoints, a page’s first code', () => {
    remember(0x7000);
    leave();
    go(a, 0);
    expect(known()).toEqual({ data: true, code: true, fast: false });
    tlb.tag(LINEAR, Word.read, false);
    leave(-1);
    go(a, 0);
    expect(known().fast).toBe(false);
    tlb.tag(LINEAR, Word.read, false);
    leave();
    go(b);
    tlb.dropTagsOfAll();
    leave();
    go(a);
    expect(known()).toEqual({ data: true, code: true, fast: false });
  });

  it('never get each other’s tags when the numbers of spaces have been used up', () => {
    remember(0x7000);
    leave();
    for (let n = 0; n < 10_000; n++) {
      go(b);
      tlb.flush();
      expect(tlb.has(LINEAR, Word.read, false)).toBe(false);
      leave();
    }
    go(a);
    expect(known()).toEqual({ data: true, code: true, fast: false });
  });
});

describe('tags', () => {
  it('of more address spaces than are kept: the one that has not run for longest is lost', () => {
    remember(0x7000);
    leave();
    for (let id = 10; id < 40; id++) {
      go(tlb.contextOf(id, NO_ROOT));
      expect(known(), `${id}`).toEqual(NOTHING);
      remember(id << 12);
      leave();
    }
    expect(tlb.contexts.length).toBeLessThan(20);
    go(tlb.contextOf(39, NO_ROOT));
    expect(known().code).toBe(true);
    leave();
    go(tlb.contextOf(1, NO_ROOT));
    expect(known()).toEqual(NOTHING);
  });

  it('one VPID with two second dimensions: combined mappings of each, and INVLPG and MOV CR3 reach both', () => {
    leave();
    const low = tlb.contextOf(7, 0x1000);
    const high = tlb.contextOf(7, 0x2000);
    for (const take of [() => tlb.invalidate(LINEAR), () => tlb.flushNonGlobal(), () => tlb.flush()]) {
      go(low);
      tlb.insertCode(PAGE, 0x7000, ALL);
      leave();
      go(high);
      expect(known()).toEqual(NOTHING);
      leave();
      go(low);
      expect(known().code).toBe(true);
      leave();
      go(high);
      take();
      leave();
      go(low);
      expect(known().code).toBe(false);
      leave();
    }
  });
});

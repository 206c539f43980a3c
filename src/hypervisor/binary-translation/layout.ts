// Where the translation cache and its data lie: above what any segment of the guest reaches, in the page table of the
// per-domain area. Translated code runs at ring 1 in a code segment that ends with the cache, so that it cannot leave it but by
// a trap; it finds its own data through GS: one page that it may write, and behind it tables that the page
// tables do not let it write to. Guests' own GS is kept in that page meanwhile. Cf. Bugnion et al. 2012, §4.2; Adams & Agesen
// 2006, §3.
import { PER_DOMAIN_START } from '../monitor.ts';

/** Pages of the per-domain area; the guest's descriptor tables have 0..31. */
export const STATE_PAGE = 32;
/** Window on pages of the guest whose code checks itself: self-checking.ts. */
export const CHECKED_PAGE = 64;
export const CHECKED_PAGES = 32;
/** The lookup table: lookup-table.ts. */
export const TABLE_PAGE = 96;
export const TABLE_PAGES = 128;
export const CACHE_PAGE = 224;
/** Pages that the cache may grow to, routines included: 3 MiB. */
export const CACHE_PAGES = 768;

export const STATE_START = PER_DOMAIN_START + STATE_PAGE * 4096;
export const CACHE_START = PER_DOMAIN_START + CACHE_PAGE * 4096;
export const CACHE_BYTES = CACHE_PAGES * 4096;

/** How long the segment of the state page is, and where in it lies what is not to be written. */
export const STATE_BYTES = CACHE_START - STATE_START;
export const CHECKED = (CHECKED_PAGE - STATE_PAGE) * 4096;
export const TABLE = (TABLE_PAGE - STATE_PAGE) * 4096;

/** Ring-1 descriptors in the monitor's GDT page: code of the cache, data of the state page and what follows it. */
export const CACHE_CODE = 0xe059;
export const STATE_DATA = 0xe061;

/** The gate that lets ring 1 in: a call-out is `int CALL_OUT`. */
export const CALL_OUT = 0x82;

/** Reasons of exits beyond the vectors of the processor: trace/exits.ts has their names. */
export const REASON = {
  callOut: 0x100,
  translate: 0x101,
  chain: 0x102,
  lookup: 0x103,
  interpreted: 0x104,
} as const;

/** Bytes of `mov gs, [gs:selector]`. */
export const BORROW_LENGTH = 7;

// ---- offsets in the cache

export const ROUTINES = 0;
export const BLOCKS = 4096;

// ---- offsets in the state page (doublewords)

export const STATE = {
  /** The guest's interrupt flag (0 or 200h) and IOPL (in its place), and 200h while an interrupt waits for the flag. */
  interruptFlag: 0x00,
  ioPrivilege: 0x04,
  pending: 0x08,
  /** Guest EIP that the lookup routine is to find, and what it found. */
  target: 0x10,
  /** Where the lookup goes that found it. */
  jump: 0x14,
  /** Registers that a translation borrowed. */
  eax: 0x20,
  ecx: 0x24,
  edx: 0x28,
  /** Selectors as the guest believes them to be, ES CS SS DS FS GS. */
  selectors: 0x40,
  /** CR0..CR4 as the guest believes them to be, and CR0 as CLTS makes it. */
  control: 0x60,
  taskNotSwitched: 0x74,
  /** Selectors in LDTR and TR. */
  localTable: 0x78,
  task: 0x7c,
  /** Byte that port 80h holds. */
  post: 0x80,
} as const;

/** Offset of a segment register's selector in the state page. */
export const selectorAt = (register: number): number => STATE.selectors + register * 4;

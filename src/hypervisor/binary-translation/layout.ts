// Where the translation cache and its data lie: above what any segment of the guest reaches, in the page table of the
// per-domain area. Translated code runs at ring 1 in a code segment that ends with the cache, so that it cannot leave it but by
// a trap; it finds its own data through GS (one page that it may write) and through CS (the lookup table, which it may only
// read). Guests' own GS is kept in that page meanwhile. Cf. Bugnion et al. 2012, §4.2; Adams & Agesen 2006, §3.
import { PER_DOMAIN_START } from '../monitor.ts';

/** Pages of the per-domain area; the guest's descriptor tables have 0..31. */
export const STATE_PAGE = 64;
export const CACHE_PAGE = 128;
/** Pages that the cache may grow to, table and routines included: 2 MiB. */
export const CACHE_PAGES = 512;

export const STATE_START = PER_DOMAIN_START + STATE_PAGE * 4096;
export const CACHE_START = PER_DOMAIN_START + CACHE_PAGE * 4096;
export const CACHE_BYTES = CACHE_PAGES * 4096;

/** Ring-1 descriptors in the monitor's GDT page: code of the cache, data of the state page. */
export const CACHE_CODE = 0xe059;
export const STATE_DATA = 0xe061;

/** The gate that lets ring 1 in: a call-out is `int CALL_OUT`. */
export const CALL_OUT = 0x82;

/** Reasons of exits beyond the vectors of the processor: trace/exits.ts has their names. */
export const REASON = { callOut: 0x100, translate: 0x101, chain: 0x102, lookup: 0x103 } as const;

/** Bytes of `mov gs, [gs:selector]`. */
export const BORROW_LENGTH = 7;

// ---- offsets in the cache

/** Lookup: LOOKUP_ENTRIES pairs of (guest EIP, offset in the cache), chosen by the low bits of EIP. */
export const LOOKUP_TABLE = 0;
export const LOOKUP_ENTRIES = 4096;
export const ROUTINES = LOOKUP_TABLE + LOOKUP_ENTRIES * 8;
export const BLOCKS = ROUTINES + 4096;

// ---- offsets in the state page (doublewords)

export const STATE = {
  /** The guest's interrupt flag (0 or 200h) and IOPL (in its place), and 200h while an interrupt waits for the flag. */
  interruptFlag: 0x00,
  ioPrivilege: 0x04,
  pending: 0x08,
  /** Guest EIP that the lookup routine is to find, and what it found. */
  target: 0x10,
  jump: 0x14,
  /** Registers that a translation borrowed. */
  eax: 0x20,
  ecx: 0x24,
  edx: 0x28,
  /** Selectors as the guest believes them to be, ES CS SS DS FS GS. */
  selectors: 0x40,
  /** CR0..CR4 as the guest believes them to be. */
  control: 0x60,
} as const;

/** Offset of a segment register's selector in the state page. */
export const selectorAt = (register: number): number => STATE.selectors + register * 4;

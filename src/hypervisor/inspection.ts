// What people may look into: control structures, translated code, shared pages, and how an address is translated. Every
// number here is read from machine memory (or says what lies there) when it is asked for, and reading changes nothing.
// A technique's `inspection.ts` fills this in; the page loads those only when somebody opens such a view.
import type { Vcpu } from './domain.ts';

/** A field of a VMCS (SDM vol. 3 app. B) or VMCB (APM vol. 2 app. B), spelled as there. */
export interface ControlField {
  readonly name: string;
  /** VMCS field encoding, or offset in the VMCB. */
  readonly encoding: number;
  readonly area: 'control' | 'guest' | 'host' | 'exit';
  readonly bits: 16 | 32 | 64;
  readonly low: number;
  /** Upper half of a 64-bit field, else 0. */
  readonly high: number;
  /** The value in words where it has any: "CR_ACCESS", "PE PG WP". */
  readonly meaning?: string;
}
export interface ControlStructure {
  readonly kind: 'VMCS' | 'VMCB';
  /** Machine address of the region. */
  readonly machine: number;
  readonly fields: readonly ControlField[];
}

/** A piece of guest code in the translation cache. */
export interface TranslatedBlock {
  /** Linear address of the original, its length, and how many instructions it has. */
  readonly guest: number;
  readonly length: number;
  readonly instructions: number;
  /** Linear and machine address of the translation, and its length. */
  readonly cache: number;
  readonly machine: number;
  readonly cacheLength: number;
  /** Call-outs that came from here since it was made. */
  readonly callOuts: number;
  /** Made again since, because one of its instructions trapped too often. */
  readonly adapted: boolean;
}
/** One original instruction beside what stands for it in the cache; of length 0 when it goes on with the same one. */
export interface TranslatedPart {
  readonly guest: number;
  readonly length: number;
  readonly cache: number;
  /** 0: nothing stands for it (a jump to what follows). */
  readonly cacheLength: number;
  readonly how: 'identical' | 'in-cache' | 'call-out' | 'chained' | 'lookup' | 'protected';
}

/** A page that guest and hypervisor share, or another structure in memory that both know: its words by name. */
export interface SharedStructure {
  readonly name: string;
  readonly machine: number;
  readonly length: number;
  readonly fields: readonly {
    readonly name: string;
    readonly offset: number;
    readonly size: 1 | 2 | 4 | 8;
    readonly value: number;
    readonly meaning?: string;
  }[];
}

/** One entry that a walk went through. */
export interface WalkStep {
  /** Whose table it is: the guest's own, one that the hypervisor keeps for it, or the nested tables (EPT, NPT). */
  readonly tables: 'guest' | 'shadow' | 'nested';
  /** 1 is the level whose entries map 4 KiB. */
  readonly level: number;
  /** Machine address of the entry; index in its table; its two words. */
  readonly machine: number;
  readonly index: number;
  readonly low: number;
  readonly high: number;
}
/** The three address spaces side by side. -1 where there is nothing. */
export interface AddressWalk {
  readonly linear: number;
  /** Guest-linear → guest-physical, through the guest's tables. */
  readonly guest: readonly WalkStep[];
  readonly physical: number;
  /** What the processor itself walks to the machine address: shadow tables from the linear address, nested ones from the guest-physical. Empty when it walks the guest's own. */
  readonly real: readonly WalkStep[];
  readonly machine: number;
}

/** What one technique lets people look into. All take the state as it is; null or empty where there is nothing (yet). */
export interface Inspector {
  controlStructure?(vcpu: Vcpu): ControlStructure | null;
  /** Machine address of that structure, or -1: asked at every exit while somebody looks. */
  controlRegion?(vcpu: Vcpu): number;
  translatedBlocks?(vcpu: Vcpu): readonly TranslatedBlock[];
  /** The block that begins at this linear address of the guest. */
  translatedParts?(vcpu: Vcpu, guest: number): readonly TranslatedPart[];
  sharedStructures?(vcpu: Vcpu): readonly SharedStructure[];
  walk?(vcpu: Vcpu, linear: number): AddressWalk | null;
}

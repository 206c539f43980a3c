// The translation cache, for people to look at: which blocks there are, and what stands for what. The bytes themselves are read
// from machine memory by whoever shows them.
import type { Deprivileged } from '../deprivileged/deprivileged.ts';
import { walkDeprivileged } from '../deprivileged/inspection.ts';
import type { Vcpu } from '../domain.ts';
import type { Inspector, TranslatedBlock, TranslatedPart } from '../inspection.ts';
import type { Technique } from '../technique.ts';
import type { Block } from './block.ts';
import type { TranslatedGuest } from './guest.ts';

/** How to look into guests under binary translation. */
export function binaryTranslationInspector(technique: Technique): Inspector {
  const translation = technique as unknown as Deprivileged<TranslatedGuest>;
  const of = (vcpu: Vcpu) => translation.guestOf(vcpu.domain);
  return {
    translatedBlocks(vcpu) {
      const guest = of(vcpu);
      return guest ? guest.cache.blocks.filter((block) => block.live).map((b) => describe(guest, b)) : [];
    },
    translatedParts(vcpu, address) {
      const guest = of(vcpu);
      const block = guest?.cache.blocks.find((b) => b.live && b.linear === address >>> 0);
      return guest && block ? partsOf(guest, block) : [];
    },
    walk: (vcpu, linear) => walkDeprivileged(translation, vcpu, linear),
  };
}

function describe({ cache }: TranslatedGuest, block: Block): TranslatedBlock {
  const { linear, length, instructions, cacheLength, callOuts, adapted } = block;
  return {
    guest: linear,
    length,
    instructions,
    cache: cache.linear(block.cache),
    machine: cache.machine(block.cache),
    cacheLength,
    callOuts,
    adapted,
  };
}

function partsOf({ cache }: TranslatedGuest, block: Block): TranslatedPart[] {
  const base = block.linear - block.guest;
  return block.parts.map((part) => ({
    guest: (base + part.guest) >>> 0,
    length: part.length,
    cache: cache.linear(part.cache),
    cacheLength: part.cacheLength,
    how: part.how,
  }));
}

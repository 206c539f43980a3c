// What a file that somebody dropped is, before anything boots: how it may be run and the memory it needs, or the one
// line that says why it cannot be used.
import '../images/other.ts';
import { type Image, imageEnd } from '../images/image.ts';
import { parseImage } from '../images/load.ts';
import type { Inspection, TechniqueName } from './protocol.ts';

const MEBIBYTE = 2 ** 20;

/** Reads an image's headers. Never throws. */
export function inspect(name: string, bytes: Uint8Array): Inspection {
  try {
    const image = parseImage(bytes, name);
    return {
      ok: true,
      kind: image.kind,
      description: image.description,
      techniques: techniquesFor(image),
      leastMemoryMiB: Math.max(1, Math.ceil(endOf(image) / MEBIBYTE)),
    };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

/** A Linux kernel unpacks itself where it wants to run, and says how much it needs there. */
function endOf(image: Image): number {
  const { linux } = image;
  return Math.max(imageEnd(image), linux ? linux.preferred + linux.initSize : 0);
}

/** A kernel ported to Xen knows nothing else, unless it says so; the translator begins in protected mode. */
function techniquesFor(image: Image): TechniqueName[] {
  const techniques: TechniqueName[] = [];
  if (image.xen) techniques.push('paravirtualization');
  if (image.kind !== 'xen') {
    techniques.push('vt-x');
    if (image.bits === 32) techniques.push('binary-translation');
    techniques.push('svm', 'native');
  }
  // It will be refused, with the reason: a container has no kernel of its own.
  techniques.push('container');
  return techniques;
}

// xen_version(command, argument): who we are (xen/common/kernel.c). The version itself is in hypercalls.ts.
import { ERROR } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import { PAE, TWO_LEVELS } from '../layout.ts';
import { FEATURE, VMASST, XENVER } from './numbers.ts';

/** Both forms of page tables run on one host here, which no single build of Xen could do. */
const CAPABILITIES = `${TWO_LEVELS.magic} ${PAE.magic} `;

/** Writes text and zeros behind it into a field of `size` bytes. */
function putText({ access, pv }: HypercallRequest, at: number, text: string, size: number): void {
  for (let n = 0; n < size; n++)
    access.write8(pv, at + n, n < text.length && n < size - 1 ? text.charCodeAt(n) : 0);
}

export function xenVersion(request: HypercallRequest): number {
  const { access, pv, a } = request;
  const at = a[1];
  switch (a[0]) {
    case XENVER.extraversion:
      putText(request, at, '.0', 16);
      return 0;
    case XENVER.compileInfo:
      putText(request, at, 'TypeScript', 64);
      putText(request, at + 64, 'ringside', 16);
      putText(request, at + 80, 'simulated', 32);
      putText(request, at + 112, 'Mon Dec  5 10:00:00 UTC 2005', 32);
      return 0;
    case XENVER.capabilities:
      putText(request, at, CAPABILITIES, 1024);
      return 0;
    case XENVER.changeset:
      putText(request, at, 'unavailable', 64);
      return 0;
    case XENVER.platformParameters:
      access.write32(pv, at, pv.layout.hypervisorStart);
      return 0;
    case XENVER.getFeatures: {
      if (access.read32(pv, at) !== 0) return ERROR.inval;
      const extended = (pv.assists >>> VMASST.paeExtendedCr3) & 1;
      access.write32(
        pv,
        at + 4,
        (1 << FEATURE.preserveAd) | (1 << FEATURE.highmemAssist) | (extended << FEATURE.paePgdirAbove4gb),
      );
      return 0;
    }
    case XENVER.pageSize:
      return 4096;
    case XENVER.guestHandle:
      for (let n = 0; n < 16; n++) access.write8(pv, at + n, n < 15 ? 0 : pv.domain.id & 0xff);
      return 0;
    default:
      return ERROR.nosys;
  }
}

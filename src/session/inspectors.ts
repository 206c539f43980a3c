// Who looks into which technique: loaded only when somebody opens such a view.
import { binaryTranslationInspector } from '../hypervisor/binary-translation/inspection.ts';
import { walkDeprivileged } from '../hypervisor/deprivileged/inspection.ts';
import { vtxInspector } from '../hypervisor/hardware-assisted/inspection.ts';
import type { Inspector } from '../hypervisor/inspection.ts';
import { paravirtualizationInspector } from '../hypervisor/paravirtualization/inspection.ts';
import { svmInspector } from '../hypervisor/svm/inspection.ts';
import type { Svm } from '../hypervisor/svm/svm.ts';
import type { Technique, TechniqueName } from '../hypervisor/technique.ts';
import type { TrapAndEmulate } from '../hypervisor/trap-and-emulate/trap-and-emulate.ts';

/** How to look into a guest of this technique. Filled in below, one line a technique. */
const INSPECTORS: Partial<Record<TechniqueName, (technique: Technique) => Inspector>> = {
  svm: (technique) => svmInspector(technique as Svm),
  'binary-translation': binaryTranslationInspector,
  paravirtualization: paravirtualizationInspector,
  'vt-x': vtxInspector,
  'trap-and-emulate': (technique) => ({
    walk: (vcpu, linear) => walkDeprivileged(technique as TrapAndEmulate, vcpu, linear),
  }),
};

/** What can be seen of guests under a technique; an empty inspector when nothing can. */
export function inspectorOf(technique: Technique): Inspector {
  return INSPECTORS[technique.name]?.(technique) ?? {};
}

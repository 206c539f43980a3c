// Who looks into which technique: loaded only when somebody opens such a view.
import type { Inspector } from '../hypervisor/inspection.ts';
import type { Technique, TechniqueName } from '../hypervisor/technique.ts';

/** How to look into a guest of this technique. Filled in below, one line a technique. */
const INSPECTORS: Partial<Record<TechniqueName, (technique: Technique) => Inspector>> = {};

/** What can be seen of guests under a technique; an empty inspector when nothing can. */
export function inspectorOf(technique: Technique): Inspector {
  return INSPECTORS[technique.name]?.(technique) ?? {};
}

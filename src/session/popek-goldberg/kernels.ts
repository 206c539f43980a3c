// The probing kernels, assembled: the unmodified one, and the one that is ported to Xen.
import type { TechniqueName } from '../../hypervisor/technique.ts';
import type { BuildTools } from '../library.ts';
import { includePaths } from '../library.ts';
import type { ProbeKernel } from './probe.ts';

const FOLDER = 'exercisers/classes/';

/** @param tools the sources of src/guests and the assembler */
export function probeKernel(tools: BuildTools, technique: TechniqueName): ProbeKernel {
  const main = `${FOLDER}${technique === 'paravirtualization' ? 'kernel-xen' : 'kernel'}.asm`;
  if (!tools.assembler) throw new Error('nobody has provided the assembler');
  const { bytes, symbols, diagnostics } = tools.assembler(new Map(tools.includes), main, {
    includePaths: includePaths(main),
  });
  if (diagnostics.length) throw new Error(`${main}: ${diagnostics[0].message}`);
  return { bytes, symbols };
}

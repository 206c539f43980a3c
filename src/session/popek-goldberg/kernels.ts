// The probing kernels, assembled: the unmodified one, the one that is ported to Xen, and for containers Penguin, with the
// probing program in it.
import type { TechniqueName } from '../../hypervisor/technique.ts';
import type { BuildTools } from '../library.ts';
import { includePaths } from '../library.ts';
import type { ProbeKernel } from './probe.ts';

const FOLDER = 'exercisers/classes/';
const KERNELS: Partial<Record<TechniqueName, string>> = {
  paravirtualization: 'kernel-xen',
  container: 'penguin',
};

/** @param tools the sources of src/guests and the assembler */
export function probeKernel(tools: BuildTools, technique: TechniqueName): ProbeKernel {
  const main = `${FOLDER}${KERNELS[technique] ?? 'kernel'}.asm`;
  if (!tools.assembler) throw new Error('nobody has provided the assembler');
  const { bytes, symbols, diagnostics } = tools.assembler(new Map(tools.includes), main, {
    includePaths: includePaths(main),
  });
  if (diagnostics.length) throw new Error(`${main}: ${diagnostics[0].message}`);
  return { bytes, symbols };
}

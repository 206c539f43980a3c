// A kernel of the learner's own: looked at before anything boots, and the machine that it gets when it has one to itself.
import type { Client } from '../worker/client.ts';
import type { Inspection, TechniqueName } from '../worker/protocol.ts';

/** A kernel that was looked at, and waits for the learner's word where and how to boot it. */
export interface Candidate {
  name: string;
  bytes: Uint8Array;
  inspection: Extract<Inspection, { ok: true }>;
}
export interface CandidateBoot {
  /** The domain whose place it takes, or -1: a machine of its own. */
  place: number;
  technique: TechniqueName;
  memoryMiB: number;
}
/** Larger files are not read (images/image.ts refuses them too). */
const MAX_KERNEL_MIB = 256;
/** Names of a scenario (session/scenario.ts). */
const MAX_NAME = 60;
/** What the hypervisor needs of a host's memory, generously. */
const HYPERVISOR_MIB = 16;

/** Reads a file's headers. @returns what it is, or one line that says why it cannot be booted */
export async function inspectFile(file: File, ask: Client['ask']): Promise<Candidate | string> {
  const name = file.name.slice(-MAX_NAME) || 'image';
  if (file.size > MAX_KERNEL_MIB << 20)
    return `${name}: ${file.size >> 20} MiB is more than an image may have (${MAX_KERNEL_MIB} MiB)`;
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { inspection } = await ask({ ask: 'inspect', name, bytes });
    return inspection.ok ? { name, bytes, inspection } : inspection.message;
  } catch (error) {
    return `${name}: cannot be read (${(error as Error).message})`;
  }
}

/** The scenario of a machine for this kernel alone. */
export function machineFor({ name }: Candidate, how: CandidateBoot, processor: string): object {
  const { technique, memoryMiB } = how;
  return {
    name: 'own',
    title: name,
    processor,
    memoryMiB: memoryMiB + (technique === 'native' ? 0 : HYPERVISOR_MIB),
    domains: [{ name, guest: name, technique, memoryMiB }],
  };
}

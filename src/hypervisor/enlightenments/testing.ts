// For tests: a small kernel on the bare processor's terms, offered interfaces, under both vendors' techniques.
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { nasm } from '../../machine/cpu/test-machine.ts';
import { Pc } from '../../machine/pc.ts';
import { exitName } from '../../trace/exits.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { HardwareAssisted } from '../hardware-assisted/hardware-assisted.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import { Svm } from '../svm/svm.ts';
import type { Enlightenment, Paging, Technique } from '../technique.ts';
import { kernel } from '../testing/small-kernels.ts';
import '../xen/provide.ts';
import './provide.ts';

export const TECHNIQUES = [
  ['vt-x', (hypervisor: Hypervisor): Technique => new HardwareAssisted(hypervisor)],
  ['svm', (hypervisor: Hypervisor): Technique => new Svm(hypervisor)],
] as const;

/** Runs a kernel around `body` (see testing/small-kernels.ts: `put`, `off`); what it put to the debug port, its end, and how often it left but for the host's own interrupts. */
export function run(
  technique: (hypervisor: Hypervisor) => Technique,
  body: string,
  enlightenments: readonly Enlightenment[],
  { paging }: { paging?: Paging } = {},
): { host: Hypervisor; domain: Domain; text: string; exits: number } {
  const pc = new Pc(costModel(paging ? 'nehalem' : 'prescott'), new Recorder(1 << 12), 16 << 20, {
    startDate: '2005-12-05T10:00:00',
  });
  const host = new Hypervisor(pc);
  const loop = new RunLoop(host);
  const domain = host.createDomain({
    id: 1,
    name: 'guest',
    technique: technique(host),
    memoryBytes: 4 << 20,
    image: parseImage(nasm(kernel(body)), 'test'),
    options: { commandLine: '', modules: [], enlightenments, paging },
  });
  for (let turns = 0; turns < 200 && domain.alive; turns++) loop.run(host.now + 200_000);
  const external = /^(EXTERNAL_INTERRUPT|interrupt|INTERRUPT_WINDOW|vintr)$/;
  const exits = pc.recorder
    .exitCounts(1)
    .filter(({ vendor, reason }) => !external.test(exitName(vendor, reason)))
    .reduce((sum, { count }) => sum + count, 0);
  return { host, domain, text: String.fromCharCode(...domain.board!.takeDebug()), exits };
}

/** What a kernel put to the debug port, as words of 32 bits, low byte first. */
export const words = (text: string): number[] =>
  Array.from({ length: text.length / 4 }, (_, n) =>
    [3, 2, 1, 0].reduce((word, k) => word * 256 + text.charCodeAt(n * 4 + k), 0),
  );

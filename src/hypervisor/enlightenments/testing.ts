// For tests: a small kernel on the bare processor's terms, offered interfaces, under both vendors' techniques.
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { nasm } from '../../machine/cpu/test-machine.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { HardwareAssisted } from '../hardware-assisted/hardware-assisted.ts';
import { kernel } from '../hardware-assisted/testing.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import { Svm } from '../svm/svm.ts';
import type { Enlightenment, Technique } from '../technique.ts';
import '../xen/provide.ts';
import './provide.ts';

export const TECHNIQUES = [
  ['vt-x', (hypervisor: Hypervisor): Technique => new HardwareAssisted(hypervisor)],
  ['svm', (hypervisor: Hypervisor): Technique => new Svm(hypervisor)],
] as const;

/** Runs a kernel around `body` (see hardware-assisted/testing.ts: `put`, `off`); what it put to the debug port, and its end. */
export function run(
  technique: (hypervisor: Hypervisor) => Technique,
  body: string,
  enlightenments: readonly Enlightenment[],
): { host: Hypervisor; domain: Domain; text: string } {
  const pc = new Pc(costModel('prescott'), new Recorder(1 << 12), 16 << 20, {
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
    options: { commandLine: '', modules: [], enlightenments },
  });
  for (let turns = 0; turns < 200 && domain.alive; turns++) loop.run(host.now + 200_000);
  return { host, domain, text: String.fromCharCode(...domain.board!.takeDebug()) };
}

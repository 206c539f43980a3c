import { readFileSync } from 'node:fs';
import { costModel } from './cost/processors.ts';
import { parseImage } from './images/load.ts';
import { Hypervisor } from './hypervisor/hypervisor.ts';
import { Paravirtualization } from './hypervisor/paravirtualization/paravirtualization.ts';
import { RunLoop } from './hypervisor/run-loop.ts';
import { Pc } from './machine/pc.ts';
import { formatEvent } from './trace/format.ts';
import { Recorder } from './trace/recorder.ts';
const rec = new Recorder();
const pc = new Pc(costModel('prescott'), rec, 64 << 20, { startDate: '2005-12-05T10:00:00' });
const hv = new Hypervisor(pc);
const loop = new RunLoop(hv);
const pv = new Paravirtualization(hv);
const d = hv.createDomain({ id: 0, name: 'p', technique: pv, memoryBytes: 16 << 20, image: parseImage(new Uint8Array(readFileSync(process.argv[2])), 'x'), options: { commandLine: '', modules: [] } });
let input = process.argv[4] ?? '';
const limit = Number(process.argv[3] ?? 50e6);
let end = '';
let seen = 0;
while (pc.cpu.cycles < limit && end !== 'idle') {
  try { end = loop.run(pc.cpu.cycles + 1e5); } catch (e) { console.log(e); break; }
  if (d.consoleOutput.length > seen) { process.stdout.write(d.consoleOutput.slice(seen)); seen = d.consoleOutput.length; }
  if (input && d.consoleOutput.endsWith('# ')) { const line = input.split(';')[0]; input = input.slice(line.length + 1); d.consoleInput.push(...[...line].map((c) => c.charCodeAt(0)), 13); }
}
console.log('\nEND', end, d.state, d.ending, pc.cpu.cycles, pc.cpu.instructions);
if (process.env.TRACE) for (let s = Math.max(rec.oldest, rec.next - Number(process.env.TRACE)); s < rec.next; s++) console.log(formatEvent(rec.get(s)!));

import { readFileSync } from 'node:fs';
import { costModel } from './cost/processors.ts';
import { parseImage } from './images/load.ts';
import { NativeHost } from './hypervisor/native/native-host.ts';
import { Pc } from './machine/pc.ts';
import { formatEvent } from './trace/format.ts';
import { Recorder } from './trace/recorder.ts';
const rec = new Recorder();
const pc = new Pc(costModel('prescott'), rec, 32 << 20, { startDate: '2005-12-05T10:00:00' });
const host = new NativeHost(pc, 0, 'p', parseImage(new Uint8Array(readFileSync(process.argv[2])), 'x'), { commandLine: '', modules: [] });
let input = (process.argv[4] ?? '').split(';').filter(Boolean);
const limit = Number(process.argv[3] ?? 50e6);
let end = ''; let out = '';
const t0 = performance.now();
while (pc.cpu.cycles < limit && end !== 'idle') {
  try { end = host.run(pc.cpu.cycles + 1e5); } catch (e) { console.log(e); break; }
  const s = String.fromCharCode(...pc.board.takeSerial()); out += s; process.stdout.write(s);
  if (input.length && out.endsWith('# ')) { out += '.'; pc.board.serialInput([...(input.shift() + '\r')].map((c) => c.charCodeAt(0))); }
}
console.log('\nEND', end, host.guest.state, host.guest.ending, pc.cpu.cycles, pc.cpu.instructions, 'MIPS', pc.cpu.instructions / (performance.now() - t0) / 1000);
if (process.env.TRACE) for (let s = Math.max(rec.oldest, rec.next - Number(process.env.TRACE)); s < rec.next; s++) console.log(formatEvent(rec.get(s)!));

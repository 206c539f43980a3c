// The machine as a whole: devices act when they said they would, however long the processor was told to run.
import { expect, it } from 'vitest';
import { costModel } from '../cost/processors.ts';
import { Recorder } from '../trace/recorder.ts';
import { Pc } from './pc.ts';

/** Timer channel 0, mode 0, count 100: MOV AL, 30h; OUT 43h; MOV AL, 100; OUT 40h; MOV AL, 0; OUT 40h; JMP $. */
const ONE_SHOT = [0xb0, 0x30, 0xe6, 0x43, 0xb0, 100, 0xe6, 0x40, 0xb0, 0, 0xe6, 0x40, 0xeb, 0xfe];

it('lets a timer that was armed in the middle of a run fire at its time', () => {
  const pc = new Pc(costModel('merom'), new Recorder(), 1 << 20, { startDate: '2006-11-22T09:00:00' });
  pc.memory.load(0x1000, new Uint8Array(ONE_SHOT));
  pc.cpu.segments[1].base = 0;
  pc.cpu.segments[1].selector = 0;
  pc.cpu.eip = 0x1000;
  const edges: number[] = [];
  pc.board.onInterruptLine = (irq) => {
    if (irq === 0) edges.push(pc.cpu.cycles);
  };
  let armed = 0;
  pc.board.onAccess = () => {
    armed = pc.cpu.cycles;
  };
  pc.run(500_000);
  // 100 ticks and the one that loads the count, of 1.193182 MHz, from the last OUT on.
  const ticks = (101 / 1_193_182) * pc.cost.clockHz;
  expect(edges).toHaveLength(1);
  expect(edges[0]).toBeGreaterThan(armed + ticks - 100);
  expect(edges[0]).toBeLessThan(armed + ticks + 100);
});

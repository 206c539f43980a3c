// A guest of a hypervisor of ours keeps its registers in the processor from an exit to the next VMRUN. The VMCB says the same.
import { expect, it } from 'vitest';
import { Stop } from '../cpu.ts';
import { run as execute } from '../execute.ts';
import { HANDLER_30, SEGMENT_CHANGES, SYSENTER } from '../vmx/testing-segments.ts';
import { GENERAL1, SVM_EXIT } from './exit-codes.ts';
import { vmrun } from './operations.ts';
import { svmOf } from './state.ts';
import { AT, Guest, needsNasm } from './testing.ts';

const make = () =>
  new Guest(
    SEGMENT_CHANGES,
    {
      INTERCEPT_GENERAL1: GENERAL1.cpuid,
      SYSENTER_CS: SYSENTER.cs,
      SYSENTER_EIP: SYSENTER.eip,
      SYSENTER_ESP: SYSENTER.esp,
    },
    { handlers: { 48: HANDLER_30 } },
  );

/** The next exit of a guest whose registers are in the processor still: without VMLOAD. */
function onward({ cpu }: Guest): number {
  expect(svmOf(cpu).resident).toBe(true);
  cpu.regs[0] = AT.vmcb;
  cpu.eip = AT.monitor;
  vmrun(cpu, AT.vmcb);
  const end = cpu.cycles + 200_000;
  let stop: number = Stop.none;
  while (stop !== Stop.monitor && cpu.cycles < end) stop = execute(cpu, end);
  return cpu.memory.read32(AT.vmcb + 0x70);
}

/** What #VMEXIT saves of the segments: ES CS SS DS. */
const segments = ({ cpu }: Guest): number[] => [...cpu.memory.bytes.slice(AT.vmcb + 0x400, AT.vmcb + 0x440)];

needsNasm('registers that stay in the processor', () => {
  it('are in the VMCB whichever way they were loaded', () => {
    // One after the other: loads of segments are counted for all processors together.
    const run = (guest: Guest, next: (guest: Guest) => number) => {
      const saved: number[][] = [];
      const rings = new Set<number>();
      let code = guest.exit();
      for (; code === SVM_EXIT.cpuid; code = next(guest)) {
        saved.push(segments(guest));
        rings.add(guest.read('CS.selector') & 3);
        guest.skip(2);
      }
      return { saved, rings, code };
    };
    const anybodys = run(make(), (guest) => guest.exit());
    const guest = make();
    svmOf(guest.cpu).ours = true;
    const ours = run(guest, onward);
    expect(ours).toEqual(anybodys);
    expect(ours).toMatchObject({ saved: { length: 24 }, rings: new Set([0, 3]), code: SVM_EXIT.hlt });
  });
});

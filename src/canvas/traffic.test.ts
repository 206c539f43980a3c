import { expect, it } from 'vitest';
import type { Cue } from './director.ts';
import { heaviness, Traffic } from './traffic.ts';

const HZ = 1_000_000;
const none = { userKernel: 0, kernelHypervisor: 0, kernelHardware: 0, hypervisorHardware: 0 };
const exit: Cue = {
  seq: 0,
  domain: 0,
  meaning: 'exit',
  from: { domain: 0, place: 'kernel' },
  to: { domain: 0, place: 'hypervisor' },
};
const entry: Cue = { ...exit, from: exit.to, to: exit.from };

/** `frames` of 1/60 virtual second in which 100 exits and 100 entries happened; `sample` of each came along. */
function flood(traffic: Traffic, frames: number, sample: number): void {
  for (let n = 0; n <= frames; n++) {
    const flow = { ...none, kernelHypervisor: 200 };
    const cues = [...Array(sample).fill(exit), ...Array(sample).fill(entry)];
    traffic.add(
      { time: (n * HZ) / 60, eventCount: (n + 1) * 200, domains: [{ id: 0, flow }] },
      cues,
      sample * 2,
    );
  }
}

it('tells crossings per second of virtual time', () => {
  const traffic = new Traffic(HZ);
  flood(traffic, 30, 100);
  expect(traffic.rate(0, 'kernelHypervisor')).toBeGreaterThan(11_000);
  expect(traffic.rate(0, 'kernelHypervisor')).toBeLessThan(14_000);
  expect(traffic.rate(0, 'userKernel')).toBe(0);
});

it('splits a flow by the fair sample that came with it', () => {
  const traffic = new Traffic(HZ);
  flood(traffic, 30, 5);
  const lanes = traffic.lanes(10);
  expect(lanes.map((l) => l.cue.to.place).sort()).toEqual(['hypervisor', 'kernel']);
  for (const lane of lanes) expect(lane.rate / 6000).toBeCloseTo(1.1, 0);
});

it('forgets a burst within a few hundredths of a virtual second', () => {
  const traffic = new Traffic(HZ);
  flood(traffic, 10, 5);
  for (let n = 1; n <= 30; n++) {
    traffic.add({ time: ((10 + n) * HZ) / 60, eventCount: 2200, domains: [{ id: 0, flow: none }] }, [], 0);
  }
  expect(traffic.rate(0, 'kernelHypervisor')).toBeLessThan(1);
  expect(traffic.lanes(10)).toEqual([]);
});

it('does not change while virtual time stands still', () => {
  const traffic = new Traffic(HZ);
  flood(traffic, 10, 5);
  const before = traffic.rate(0, 'kernelHypervisor');
  traffic.add({ time: (10 * HZ) / 60, eventCount: 2200, domains: [{ id: 0, flow: none }] }, [], 0);
  expect(traffic.rate(0, 'kernelHypervisor')).toBe(before);
});

it('has one scale for all widths', () => {
  expect(heaviness(0)).toBe(0);
  expect(heaviness(10)).toBe(0);
  expect(heaviness(1000)).toBeCloseTo(0.4);
  expect(heaviness(1e7)).toBe(1);
});

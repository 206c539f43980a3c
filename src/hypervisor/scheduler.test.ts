// Who runs next on the one physical processor: round robin, and whoever was woken runs first.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Vcpu } from './domain.ts';
import { Scheduler, SLICE_SECONDS } from './scheduler.ts';

const vcpu = (): Vcpu =>
  ({ state: 'runnable', domain: { state: 'running' } }) as Partial<Vcpu> as unknown as Vcpu;

describe('the run queue', () => {
  let scheduler: Scheduler;
  let a: Vcpu;
  let b: Vcpu;
  let c: Vcpu;
  beforeEach(() => {
    scheduler = new Scheduler();
    [a, b, c] = [vcpu(), vcpu(), vcpu()];
    for (const each of [a, b, c]) scheduler.add(each);
  });

  it('is served in the order of arrival; the head stays until its slice is over', () => {
    expect(scheduler.head()).toBe(a);
    expect(scheduler.head()).toBe(a);
    scheduler.expire(a);
    expect(scheduler.head()).toBe(b);
    scheduler.expire(b);
    expect(scheduler.head()).toBe(c);
    scheduler.expire(c);
    expect(scheduler.head()).toBe(a);
  });

  it('passes over who waits for an event, and over domains that are paused or have ended', () => {
    a.state = 'blocked';
    b.domain.state = 'paused';
    expect(scheduler.head()).toBe(c);
    c.domain.state = 'crashed';
    expect(scheduler.head()).toBeNull();
    b.domain.state = 'running';
    expect(scheduler.head()).toBe(b);
  });

  it('lets run first who is woken, so that its interrupt is not late by the others’ slices', () => {
    c.state = 'blocked';
    scheduler.wake(c);
    expect(c.state).toBe('runnable');
    expect(scheduler.head()).toBe(c);
    scheduler.expire(c);
    expect(scheduler.head(), 'and then it is one of many again').toBe(a);
  });

  it('holds everybody once, however often it is added, woken or expired', () => {
    scheduler.add(a);
    scheduler.wake(b);
    scheduler.wake(b);
    scheduler.expire(b);
    for (const each of [a, b, c]) scheduler.remove(each);
    expect(scheduler.head()).toBeNull();
    scheduler.remove(a);
  });

  it('has slices of 5 ms (Barham et al. 2003, §3.3.1)', () => expect(SLICE_SECONDS).toBe(0.005));
});

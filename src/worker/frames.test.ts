// One packet a display frame: bounded whatever happened, fair, and nothing is told twice or lost that must not be.
import { describe, expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { findScenario } from '../session/scenarios.ts';
import { Session } from '../session/session.ts';
import { RECORD_WORDS } from '../trace/events.ts';
import { unpack } from '../trace/recorder.ts';
import { FrameBuilder } from './frames.ts';
import { MAX_FRAME_EVENTS, MAX_FRAME_TEXT } from './protocol.ts';

const started = () => {
  const session = new Session(findScenario('side-by-side')!, nodeLibrary());
  session.bootAll();
  return { session, frames: new FrameBuilder(session) };
};

describe('frames', () => {
  it('carry every event when there are few', () => {
    const { session, frames } = started();
    frames.build(true, { mode: 'fast' }, 0, 0);
    session.stepEvent();
    session.stepEvent();
    const frame = frames.build(true, { mode: 'fast' }, 0, 16);
    const held = session.host.recorder.next - frame.eventSeqs.length;
    expect([...frame.eventSeqs]).toEqual([...frame.eventSeqs].map((_, n) => held + n));
  });

  it('have a fixed upper size, and sample the whole time fairly', () => {
    const { session, frames } = started();
    session.run(20_000_000);
    const frame = frames.build(true, { mode: 'fast' }, 0, 0);
    expect(frame.eventCount).toBeGreaterThan(4 * MAX_FRAME_EVENTS);
    expect(frame.eventSeqs.length).toBe(MAX_FRAME_EVENTS);
    expect(frame.events.length).toBe(MAX_FRAME_EVENTS * RECORD_WORDS);
    frame.eventSeqs.forEach((seq, n) => {
      expect(unpack(frame.events, n * RECORD_WORDS, seq)).toEqual(session.host.recorder.get(seq));
      if (n) expect(seq).toBeGreaterThan(frame.eventSeqs[n - 1]);
    });
    expect(frame.eventSeqs[MAX_FRAME_EVENTS - 1]).toBeGreaterThan(frame.eventCount * 0.85);
    for (const domain of frame.domains)
      expect(domain.console.length + domain.serial.length).toBeLessThanOrEqual(2 * MAX_FRAME_TEXT);
  });

  it('give all the text, in as many frames as it takes, and a screen only when it changed', () => {
    const { session, frames } = started();
    session.run(30_000_000);
    let text = '';
    for (let n = 0; n < 5; n++) text += frames.build(true, { mode: 'fast' }, 0, n).domains[0].console;
    expect(text).toBe(session.domains[0].text);
    expect(frames.build(false, { mode: 'fast' }, 0, 9).domains[1].screen).toBeNull();
    frames.refresh();
    expect(frames.build(false, { mode: 'fast' }, 0, 10).domains[1].screen?.mode).toBe('graphics');
  });
});

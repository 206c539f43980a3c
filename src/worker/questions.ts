// Answers to the page's questions. They look, and change nothing.

import { fingerprint } from '../session/fingerprint.ts';
import { observe } from '../session/observe.ts';
import type { Overview } from '../session/overview.ts';
import { findScenario } from '../session/scenarios.ts';
import type { Session } from '../session/session.ts';
import { RECORD_WORDS } from '../trace/events.ts';
import { hex8 } from '../trace/hex.ts';
import type { BundledLibrary } from './library.ts';
import type { Answer, Question } from './protocol.ts';

/** Largest answers: events of one window, lines of disassembly, bytes of memory. */
const MAX_EVENTS = 2000;
const MAX_LINES = 1000;
const MAX_BYTES = 65536;
const MAX_FINGERPRINT = 200_000_000;

/** Answers one question of the page. Out-of-range requests get what there is. */
export async function answer(
  session: Session,
  overview: Overview,
  library: BundledLibrary,
  question: Question,
): Promise<Answer> {
  switch (question.ask) {
    case 'explain': {
      const { explain } = await import('../session/explain.ts');
      await Promise.all(session.domains.map(({ config }) => library.loadLines(config.guest)));
      return { ask: 'explain', explanation: explain(session, question.seq) };
    }
    case 'events': {
      const { recorder } = session.host;
      const from = Math.max(recorder.oldest, Math.floor(question.from));
      const to = Math.max(from, Math.min(recorder.next, Math.floor(question.to), from + MAX_EVENTS));
      const events = new Int32Array((to - from) * RECORD_WORDS);
      recorder.copy(from, to, events);
      return { ask: 'events', events, from };
    }
    case 'disassemble': {
      const { disassembleRange } = await import('../machine/isa/disassemble.ts');
      const bytes = session.host.readGuest(
        question.domain,
        question.address >>> 0,
        Math.min(question.lines, MAX_LINES) * 15,
      );
      return {
        ask: 'disassemble',
        lines: disassembleRange(
          bytes,
          0,
          session.host.codeBits(question.domain),
          question.address >>> 0,
          Math.min(question.lines, MAX_LINES),
        ).map((l) => ({ ...l, bytes: hexBytes(l.bytes) })),
      };
    }
    case 'registers': {
      const values = session.view(question.domain) ? session.host.registers(question.domain) : {};
      return {
        ask: 'registers',
        registers: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, hex8(value)])),
      };
    }
    case 'memory': {
      const length = Math.min(question.length, MAX_BYTES);
      if (question.space === 'virtual')
        return {
          ask: 'memory',
          bytes: session.host.readGuest(question.domain, question.address >>> 0, length),
        };
      const start = question.address >>> 0;
      return { ask: 'memory', bytes: session.host.pc.memory.bytes.slice(start, start + length) };
    }
    case 'sources':
      return { ask: 'sources', ...(await library.sources(question.guest)) };
    case 'observe':
      return { ask: 'observe', observation: observe(session, question.memory) };
    case 'timeline':
      return { ask: 'timeline', window: overview.window(question.from, question.to, question.bins) };
    case 'eventAt':
      return { ask: 'eventAt', seq: overview.eventAt(question.domain, question.time) };
    case 'inside': {
      const { inside } = await import('../session/inside.ts');
      return { ask: 'inside', inside: inside(session, question.domain, question.view) };
    }
    case 'translated': {
      const { translated } = await import('../session/inside.ts');
      return { ask: 'translated', lines: translated(session, question.domain, question.guest >>> 0) };
    }
    case 'walk': {
      const { walk } = await import('../session/inside.ts');
      return { ask: 'walk', walk: walk(session, question.domain, question.linear >>> 0) };
    }
    case 'holes': {
      const { holesOf } = await import('../session/holes.ts');
      await library.loadLines(session.domains[question.domain]?.config.guest ?? '');
      return { ask: 'holes', rows: holesOf(session, question.domain) };
    }
    case 'inspect': {
      const { inspect } = await import('./inspect.ts');
      return { ask: 'inspect', inspection: inspect(question.name, question.bytes) };
    }
    case 'fingerprint': {
      const scenario = findScenario(question.scenario);
      if (!scenario) return { ask: 'fingerprint', fingerprint: null };
      await library.fetch(scenario.domains.map((domain) => domain.guest));
      return {
        ask: 'fingerprint',
        fingerprint: fingerprint(scenario, library, Math.min(question.cycles, MAX_FINGERPRINT)),
      };
    }
  }
}

function hexBytes(bytes: Uint8Array | string): string {
  return typeof bytes === 'string' ? bytes : [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
}

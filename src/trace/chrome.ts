// Export to Chrome's trace-event format (JSON array of events with ph/ts/pid/tid): one process a domain, exits as slices.
import { Kind, type TraceEvent } from './events.ts';
import { eventText, kindName } from './format.ts';

export interface ChromeTrace {
  head: string;
  event(e: TraceEvent): string;
  tail: string;
}

/** @param clockHz cycles a second: timestamps are microseconds of virtual time. */
export function chromeTrace(clockHz: number, names: readonly string[]): ChromeTrace {
  const micro = (cycles: number) => (cycles * 1e6) / clockHz;
  const meta = [
    { ph: 'M', name: 'process_name', pid: 0, args: { name: 'host' } },
    ...names.map((name, n) => ({ ph: 'M', name: 'process_name', pid: n + 1, args: { name } })),
  ];
  const line = (value: object) => `,\n${JSON.stringify(value)}`;
  const open = new Map<number, TraceEvent>();
  return {
    head: `[\n${meta.map((m) => JSON.stringify(m)).join(',\n')}`,
    tail: '\n]\n',
    event(e) {
      const place = { pid: e.domain + 1, tid: e.vcpu };
      if (e.kind === Kind.exit) {
        open.set(e.domain, e);
        return '';
      }
      const exit = e.kind === Kind.entry ? open.get(e.domain) : undefined;
      if (exit) {
        open.delete(e.domain);
        return line({
          ...place,
          ph: 'X',
          name: eventText(exit),
          cat: 'exit',
          ts: micro(exit.time),
          dur: micro(e.time - exit.time),
          args: { eip: exit.eip, cycles: e.cost },
        });
      }
      return line({
        ...place,
        ph: 'i',
        s: 't',
        name: eventText(e),
        cat: kindName(e.kind),
        ts: micro(e.time),
        args: { eip: e.eip },
      });
    },
  };
}

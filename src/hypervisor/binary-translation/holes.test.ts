// The instructions of Robin & Irvine (2000): a kernel under binary translation is told what the bare machine tells it.
import { describe, expect, it } from 'vitest';
import { runAlone } from '../testing/alone.ts';

const hole = (name: string) => `exercisers/holes/${name}.asm`;

describe('a translated kernel gets the answers of ring 0', () => {
  it.each([
    ...['sgdt', 'sidt', 'sldt', 'smsw', 'str', 'pushf', 'popf', 'lar', 'lsl', 'verr', 'verw'],
    ...['push', 'mov', 'call', 'iret', 'pop', 'jmp', 'ret', 'int', 'careful'],
  ])(
    '%s',
    (name) => {
      const { debug, holes, state, ending } = runAlone(hole(name), 'binary-translation');
      expect(state, ending).toBe('halted');
      expect(debug).toBe(runAlone(hole(name), 'native').debug);
      expect(holes).toEqual([]);
    },
    60_000,
  );
});

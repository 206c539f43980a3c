// Code of several pages: what one page calls in another becomes a way in there.
import { expect, it } from 'vitest';
import { executionOf } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import './provide.ts';

const CALLER = 0x10000;
const CALLED = 0x20100;

it('enters a function of another page at its beginning', () => {
  // MOV ECX, 10000; L: INC ESI; ADD ESI, EAX; INC EDI; CALL; DEC ECX; JNZ L; JMP $.
  const call = CALLED - (CALLER + 14);
  const relative = [call & 0xff, (call >> 8) & 0xff, (call >> 16) & 0xff, 0];
  const caller = [
    0xb9,
    0x10,
    0x27,
    0,
    0,
    0x46,
    0x01,
    0xc6,
    0x47,
    0xe8,
    ...relative,
    0x49,
    0x75,
    0xf4,
    0xeb,
    0xfe,
  ];
  // ADD EAX, ECX; ROL EAX, 3; XOR EAX, ECX; ADD EAX, 7; MOV EDX, 200; L: ADD EAX, EDX; DEC EDX; JNZ L; RET.
  const head = [0x01, 0xc8, 0xc1, 0xc0, 3, 0x31, 0xc8, 0x83, 0xc0, 7, 0xba, 200, 0, 0, 0];
  const called = [...head, 0x01, 0xd0, 0x4a, 0x75, 0xfb, 0xc3];
  const ends = [true, false].map((compiled) => {
    const m = new TestMachine(1 << 20).flat(new Uint8Array(caller), CALLER);
    m.memory.load(CALLED, new Uint8Array(called));
    m.cpu.compiledAllowed = compiled;
    m.run(6_000_000);
    const { cpu } = m;
    const state = [cpu.regs[0], cpu.regs[1], cpu.eip, cpu.cycles, cpu.instructions];
    cpu.eip = CALLED;
    const hook = executionOf(cpu).code.open().table[CALLED & 0xfff]?.compiled;
    return { state, entered: hook !== null && hook !== undefined };
  });
  expect(ends[0].state).toEqual(ends[1].state);
  expect(ends.map(({ entered }) => entered)).toEqual([true, false]);
});

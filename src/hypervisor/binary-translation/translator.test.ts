// Every form of the instruction table, and random runs of them, in the cache and on the bare machine: the same registers, flags,
// memory and exceptions. (Left out: what would switch the machine off or ask for the time.)
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassembleRange } from '../../machine/isa/disassemble.ts';
import type { Form } from '../../machine/isa/form.ts';
import { FORMS } from '../../machine/isa/table.ts';
import { encode, places, registers } from '../../session/popek-goldberg/encode.ts';
import { AT, type Case, imageOf, results } from './testing.ts';

/** They wait for ever, tell the time or the processor, or take away what the kernel of the test stands on (Penguin and `careful` use those). */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...['hlt', 'rdtsc', 'rdpmc', 'cpuid', 'rdmsr', 'wrmsr', 'lmsw', 'lgdt', 'lidt', 'lldt', 'ltr', 'mwait'],
]);
const tried = (form: Form): boolean =>
  !form.assemblerOnly &&
  !form.wait &&
  !LEFT_OUT.has(form.operation) &&
  !/^(mov-to-[cd]r)$/.test(form.operation);

const SELECTORS = [0, 0x08, 0x09, 0x10, 0x11, 0x1b, 0x23, 0x28, 0x30, 0xe021, 0xe059, 0xe060, 0xfff8];

function* casesOf(form: Form): Generator<Case> {
  const sensitive = form.privilege !== 'innocuous' || /far|bound|arpl/.test(form.operation);
  for (const place of places(form))
    for (const register of registers(form))
      for (const selector of sensitive ? SELECTORS : [0x10]) {
        const operands = { address: AT.data, landing: AT.landing, selector, immediate: 0x33, register };
        const bytes = [...encode(form, place, operands)];
        const registersNow = [0x40078, selector, 0x80, AT.data, AT.stack, AT.data + 16, AT.data + 48];
        const stacks =
          sensitive && /pop|ret/.test(form.operation)
            ? [
                [selector, 8, 0x202, 0x10],
                [AT.landing, selector, 0x3002, 0],
                [AT.landing | (selector << 16), 2, 0, 0],
                [0x3202, 0, 0, 0],
              ]
            : [undefined];
        // A return pops EIP first: not just anywhere.
        const first = /ret/.test(form.operation) ? 1 : 0;
        for (const stack of stacks.slice(first))
          yield { bytes, registers: registersNow, flags: 0x802, stack };
      }
}

const inWords = (c: Case): string =>
  disassembleRange(Uint8Array.from(c.bytes), 0, 32, 0, c.bytes.length)
    .map((line) => line.text)
    .join('; ');

function compare(cases: readonly Case[]): string[] {
  const image = imageOf(cases);
  const bare = results(image, cases.length, 'native').rows;
  const translated = results(image, cases.length, 'binary-translation').rows;
  const different: string[] = [];
  cases.forEach((c, n) => {
    const wrong = bare[n].findIndex((word, k) => word !== translated[n][k]);
    if (wrong >= 0)
      different.push(
        `${inWords(c)} [${c.registers?.[1].toString(16)}, ${c.stack?.map((w) => w.toString(16))}]: word ${wrong} is ${translated[n][wrong].toString(16)}, not ${bare[n][wrong].toString(16)}`,
      );
  });
  return different;
}

describe('translated code does what the original does', () => {
  it('every form of the table', () => {
    const cases = FORMS.filter(tried).flatMap((form) => [...casesOf(form)]);
    expect(cases.length).toBeGreaterThan(2000);
    const different: string[] = [];
    for (let n = 0; n < cases.length; n += 2000) different.push(...compare(cases.slice(n, n + 2000)));
    expect(different).toEqual([]);
  }, 900_000);

  it('random runs of kernel code', () => {
    // Ports, and jumps to just anywhere, have been tried one by one.
    const elsewhere = /^(ins|outs|in|out|ret|ret-far|iret|sysexit|jmp-far|call-far)$/;
    const indirect = (form: Form) => /^(jmp|call)$/.test(form.operation) && form.operands[0] === 'rmv';
    const forms = FORMS.filter((form) => tried(form) && !elsewhere.test(form.operation) && !indirect(form));
    const one = fc
      .tuple(fc.constantFrom(...forms), fc.nat(), fc.integer(), fc.constantFrom(...SELECTORS))
      .map(([form, choice, immediate, selector]) => {
        const where = places(form);
        const numbers = registers(form);
        const operands = {
          address: AT.data + (choice & 0x3c),
          landing: AT.landing,
          selector,
          immediate,
          register: numbers[choice % numbers.length],
        };
        return [...encode(form, where[choice % where.length], operands)];
      });
    const run = fc
      .tuple(fc.array(one, { minLength: 2, maxLength: 14 }), fc.integer(), fc.constantFrom(2, 0xcd7, 0x403))
      .map(
        ([pieces, value, flags]): Case => ({
          bytes: pieces.flat().slice(0, 180),
          registers: [value, value >>> 24, 0x80, AT.data, AT.stack, AT.data + 16, AT.data + 48],
          flags,
        }),
      );
    const cases = fc.sample(run, { numRuns: 600, seed: 20060103 });
    expect(compare(cases)).toEqual([]);
  }, 900_000);
});

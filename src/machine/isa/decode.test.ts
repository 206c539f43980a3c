// What the decoder promises, by example. The exhaustive comparison is decode.iced.test.ts.
import { describe, expect, test } from 'vitest';
import { decode } from './decode.ts';
import { CS, DS, ES, type Instruction, REP_E, REP_NE, REP_NONE, SS } from './instruction.ts';

const bytesOf = (text: string) => Uint8Array.from(text.split(' ').map((byte) => Number.parseInt(byte, 16)));

function decoded(text: string, mode: 16 | 32 = 32): Instruction {
  const i = decode(bytesOf(text), 0, mode);
  if (typeof i === 'string') throw new Error(`${text}: ${i}`);
  return i;
}

const failure = (text: string, mode: 16 | 32 = 32) => {
  const i = decode(bytesOf(text), 0, mode);
  return typeof i === 'string' ? i : i.form.mnemonic;
};

describe('fields of an instruction', () => {
  test('mov eax,[ebx+ecx*4+0x10]', () => {
    expect(decoded('8B 44 8B 10')).toMatchObject({
      length: 4,
      operandSize: 32,
      addressSize: 32,
      segment: DS,
      segmentOverride: false,
      reg: 0,
      memory: true,
      base: 3,
      index: 1,
      scale: 2,
      displacement: 0x10,
    });
  });

  test('16-bit addresses are spread over the same fields', () => {
    expect(decoded('8B 42 FE', 16)).toMatchObject({
      base: 5,
      index: 6,
      scale: 0,
      displacement: -2,
      segment: SS,
    });
    expect(decoded('8B 07', 16)).toMatchObject({ base: 3, index: -1, segment: DS });
    expect(decoded('8B 0E 34 12', 16)).toMatchObject({
      base: -1,
      index: -1,
      displacement: 0x1234,
      segment: DS,
    });
  });

  test('a base of EBP or ESP means SS, an index of EBP does not', () => {
    expect(decoded('8B 45 00').segment).toBe(SS);
    expect(decoded('8B 04 24').segment).toBe(SS);
    expect(decoded('8B 04 28').segment).toBe(DS);
    expect(decoded('8B 04 6D 00 00 00 00')).toMatchObject({ segment: DS, base: -1, index: 5, scale: 1 });
    expect(decoded('3E 8B 45 00')).toMatchObject({ segment: DS, segmentOverride: true });
  });

  test('a register in the opcode goes to reg', () => {
    expect(decoded('57')).toMatchObject({ reg: 7, memory: false });
    expect(decoded('BB 78 56 34 12')).toMatchObject({ reg: 3, immediate: 0x12345678 });
  });

  test('offsets of MOV are memory without registers', () => {
    expect(decoded('A1 78 56 34 92')).toMatchObject({
      memory: true,
      base: -1,
      displacement: 0x92345678 | 0,
      segment: DS,
    });
    expect(decoded('67 26 A2 34 92')).toMatchObject({
      displacement: 0x9234 - 0x10000,
      segment: ES,
      addressSize: 16,
    });
  });

  test('immediates are extended as the form says', () => {
    expect(decoded('83 C0 FF').immediate).toBe(-1);
    expect(decoded('04 FF').immediate).toBe(0xff);
    expect(decoded('66 05 00 80').immediate).toBe(-0x8000);
    expect(decoded('C2 00 80').immediate).toBe(0x8000);
    expect(decoded('CD 82').immediate).toBe(0x82);
    expect(decoded('C8 10 00 02')).toMatchObject({ immediate: 0x10, immediate2: 2 });
    expect(decoded('EA 78 56 34 12 08 00')).toMatchObject({ immediate: 0x12345678, immediate2: 8 });
  });

  test('branch distances are signed', () => {
    expect(decoded('EB FE').immediate).toBe(-2);
    expect(decoded('E9 FB FF', 16).immediate).toBe(-5);
  });
});

describe('prefixes', () => {
  test('come in any order, the last of a group wins', () => {
    expect(decoded('66 F3 67 26 2E A5')).toMatchObject({
      length: 6,
      operandSize: 16,
      addressSize: 16,
      rep: REP_E,
      segment: CS,
    });
    expect(decoded('F2 F3 A6').rep).toBe(REP_E);
    expect(decoded('F3 F2 A6').rep).toBe(REP_NE);
    expect(decoded('66 66 66 40').operandSize).toBe(16);
  });

  test('F2 repeats as F3 does where there is no condition, and means nothing elsewhere', () => {
    expect(decoded('F2 A4').rep).toBe(REP_E);
    expect(decoded('F3 40').rep).toBe(REP_NONE);
    expect(decoded('F3 90').form.mnemonic).toBe('pause');
    expect(decoded('F3 C3').form.mnemonic).toBe('ret');
  });

  test('LOCK is for read–modify–write of memory only', () => {
    expect(decoded('F0 01 03').lock).toBe(true);
    expect(decoded('F0 87 03').lock).toBe(true);
    expect(failure('F0 01 C3')).toBe('invalid');
    expect(failure('F0 03 03')).toBe('invalid');
    expect(failure('F0 39 03')).toBe('invalid');
    expect(failure('F0 8B 03')).toBe('invalid');
    expect(failure('F0 90')).toBe('invalid');
    expect(failure('F0 0F BA 23 01')).toBe('invalid');
  });

  test('66, F3 and none choose between VMCLEAR, VMXON and VMPTRLD', () => {
    expect(decoded('0F C7 33').form.mnemonic).toBe('vmptrld');
    expect(decoded('66 0F C7 33').form.mnemonic).toBe('vmclear');
    expect(decoded('F3 0F C7 33').form.mnemonic).toBe('vmxon');
    expect(decoded('66 F3 0F C7 33').form.mnemonic).toBe('vmxon');
  });

  test('the operand size chooses the mnemonic', () => {
    const name = (text: string, mode: 16 | 32) => decoded(text, mode).form.mnemonic;
    expect([name('98', 32), name('66 98', 32), name('98', 16), name('66 98', 16)]).toEqual([
      'cwde',
      'cbw',
      'cbw',
      'cwde',
    ]);
    expect([name('CF', 32), name('CF', 16)]).toEqual(['iretd', 'iretw']);
    expect([name('E3 00', 32), name('67 E3 00', 32)]).toEqual(['jecxz', 'jcxz']);
  });
});

describe('failures', () => {
  test.each([
    ['an empty slot of the opcode map', '0F 04'],
    ['an undefined extension', 'FF 38'],
    ['LEA of a register', '8D C0'],
    ['LGDT of a register', '0F 01 D0'],
    ['BOUND of a register', '62 C0'],
    ['a far jump through a register', 'FF E8'],
    ['MOV CS', '8E C8'],
    ['a seventh segment register', '8C F0'],
    ['CR1', '0F 20 C8'],
    ['an empty slot of the x87 map', 'D9 D1'],
    ['UD0', '0F FF C0'],
    ['an instruction of a later processor', '0F 7C C0'],
    ['POP CS', '0F'.concat(' 0F')],
  ])('%s is invalid', (_, text) => {
    expect(failure(text)).toBe('invalid');
  });

  test('what is cut off is short, at every place', () => {
    for (const text of [
      '66 67 81 84 8B 00 00 00 00 00 00',
      'EA 00 00 00 00 00 00',
      'C8 00 00 00',
      '0F 38',
      'A1 00 00 00 00',
    ]) {
      const bytes = bytesOf(text);
      const whole = decode(bytes, 0, 32);
      const length = typeof whole === 'string' ? bytes.length + 1 : whole.length;
      for (let limit = 0; limit < Math.min(length, bytes.length); limit++) {
        expect(decode(bytes, 0, 32, limit), `${text} up to ${limit}`).toBe('short');
      }
    }
  });

  test('an undefined opcode is invalid as soon as it can be seen', () => {
    expect(decode(bytesOf('0F 04'), 0, 32, 2)).toBe('invalid');
    expect(decode(bytesOf('FF 38'), 0, 32, 2)).toBe('invalid');
  });

  test('fifteen bytes are an instruction, sixteen are not', () => {
    expect(decoded(`${'66 '.repeat(14)}90`).length).toBe(15);
    expect(failure(`${'66 '.repeat(15)}90`)).toBe('long');
    expect(failure(`${'26 '.repeat(10)}81 05 00 00 00 00 00 00 00 00`)).toBe('long');
  });

  test('MOV to CR ignores ModRM.mod', () => {
    expect(decoded('0F 22 00')).toMatchObject({ length: 3, memory: false, reg: 0, rm: 0 });
  });
});

test('decodes in the middle of a larger array', () => {
  const bytes = bytesOf('90 90 8B 45 08 90');
  expect(decode(bytes, 2, 32)).toMatchObject({ length: 3, displacement: 8 });
  expect(decode(bytes, 2, 32, 4)).toBe('short');
});

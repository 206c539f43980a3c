// The table itself: does it hold what it promises, and are the privilege classes those of the manuals?
import { describe, expect, test } from 'vitest';
import type { Form } from './form.ts';
import { rows } from './table/row.ts';
import { FORMS, formsByMnemonic } from './table.ts';

const operationsOf = (privilege: Form['privilege']) => [
  ...new Set(FORMS.filter((form) => form.privilege === privilege).map((form) => form.operation)),
];

describe('the instruction table', () => {
  test('numbers its forms', () => {
    expect(FORMS.map((form) => form.id)).toEqual(FORMS.map((_, n) => n));
  });

  test('has no row twice', () => {
    const signature = (form: Form) =>
      [
        form.mnemonic,
        form.operands,
        form.map,
        form.opcode,
        form.modrm,
        form.modrmByte,
        form.prefix,
        form.size,
        form.addressSize,
      ].join('|');
    expect(new Set(FORMS.map(signature)).size).toBe(FORMS.length);
  });

  test('says something about every operation, and the same in all its rows', () => {
    for (const operation of new Set(FORMS.map((form) => form.operation))) {
      const forms = FORMS.filter((form) => form.operation === operation);
      expect(new Set(forms.map((form) => form.privilege)).size, operation).toBe(1);
      for (const form of forms) {
        expect(form.summary, operation).toMatch(/\.$/);
        expect(form.manual, operation).toMatch(/^(SDM|APM) /);
      }
    }
  });

  test('finds forms by alias, and hides what only the decoder may use', () => {
    expect(formsByMnemonic.get('je')?.map((form) => form.mnemonic)).toEqual(['jz', 'jz']);
    expect(formsByMnemonic.get('sal')).toHaveLength(6);
    expect(formsByMnemonic.get('add')?.some((form) => form.opcode === 0x82)).toBe(false);
  });

  test('has every name NASM gives to the sixteen conditions', () => {
    const suffixes =
      'o no b c nae ae nb nc e z ne nz be na a nbe s ns p pe np po l nge ge nl le ng g nle'.split(' ');
    for (const stem of ['j', 'set', 'cmov']) {
      for (const suffix of suffixes) expect(formsByMnemonic.has(stem + suffix), stem + suffix).toBe(true);
    }
  });
});

describe('privilege classes', () => {
  test('privileged: the list of SDM vol. 3A §5.9, what is #UD or #GP outside its mode, VMX and SVM', () => {
    expect(operationsOf('privileged').sort()).toEqual(
      [
        ...[
          'lgdt',
          'lldt',
          'ltr',
          'lidt',
          'mov-from-cr',
          'mov-to-cr',
          'lmsw',
          'clts',
          'mov-from-dr',
          'mov-to-dr',
        ],
        ...[
          'invd',
          'wbinvd',
          'invlpg',
          'hlt',
          'rdmsr',
          'wrmsr',
          'rdpmc',
          'sysexit',
          'rsm',
          'monitor',
          'mwait',
        ],
        ...[
          'vmcall',
          'vmlaunch',
          'vmresume',
          'vmxoff',
          'vmxon',
          'vmclear',
          'vmptrld',
          'vmptrst',
          'vmread',
          'vmwrite',
        ],
        ...['invept', 'invvpid', 'vmrun', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'invlpga'],
      ].sort(),
    );
  });

  test('sensitive: the list of Robin & Irvine 2000 (MOV and POP by what they move), INT in all spellings, and IRET', () => {
    expect(operationsOf('sensitive').sort()).toEqual(
      [
        ...[
          'sgdt',
          'sidt',
          'sldt',
          'smsw',
          'pushf',
          'popf',
          'lar',
          'lsl',
          'verr',
          'verw',
          'pop-sreg',
          'push-sreg',
        ],
        ...[
          'call-far',
          'jmp-far',
          'int',
          'int1',
          'int3',
          'into',
          'ret-far',
          'str',
          'mov-from-sreg',
          'mov-to-sreg',
        ],
        'iret',
      ].sort(),
    );
  });

  test('io: what IOPL guards', () => {
    expect(operationsOf('io').sort()).toEqual(['cli', 'in', 'ins', 'out', 'outs', 'sti']);
  });
});

describe('the notation', () => {
  test('reads a row', () => {
    const [form] = rows(`
      # vmclear privileged | SDM 3C VMCLEAR | Does things.
      vmclear m64  66 0F C7 /6
    `);
    expect(form).toMatchObject({
      mnemonic: 'vmclear',
      prefix: 0x66,
      map: 1,
      opcode: 0xc7,
      modrm: 6,
      operands: ['m64'],
    });
  });

  test.each([
    ['a row without a heading', 'nop - 90'],
    ['a heading of an unknown class', '# nop public | SDM 2B NOP | Nothing.'],
    ['a row without an opcode', '# nop | SDM 2B NOP | Nothing.\nnop -'],
  ])('refuses %s', (_, text) => {
    expect(() => rows(text)).toThrow(/instruction table/);
  });
});

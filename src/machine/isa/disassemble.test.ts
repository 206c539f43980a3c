// How instructions look. That the text means the bytes is shown by disassemble.nasm.test.ts.
import { expect, test } from 'vitest';
import { decode } from './decode.ts';
import { type DisassembleOptions, disassemble, disassembleRange } from './disassemble.ts';

const bytesOf = (text: string) => Uint8Array.from(text.split(' ').map((byte) => Number.parseInt(byte, 16)));

function text(bytes: string, mode: 16 | 32 = 32, address = 0x1000, options?: DisassembleOptions): string {
  const i = decode(bytesOf(bytes), 0, mode);
  return typeof i === 'string' ? i : disassemble(i, address, options);
}

test('sizes are written only where no register tells', () => {
  expect(text('8B 03')).toBe('mov eax, [ebx]');
  expect(text('C7 03 01 00 00 00')).toBe('mov dword [ebx], 1');
  expect(text('0F B6 03')).toBe('movzx eax, byte [ebx]');
  expect(text('D3 23')).toBe('shl dword [ebx], cl');
  expect(text('8C 1B')).toBe('mov word [ebx], ds');
  expect(text('FF 2D 00 20 00 00')).toBe('jmp far [0x2000]');
  expect(text('66 FF 2D 00 20 00 00')).toBe('jmp far word [0x2000]');
  expect(text('0F 01 15 00 20 00 00')).toBe('lgdt [0x2000]');
});

test('addresses', () => {
  expect(text('8B 44 8B F0')).toBe('mov eax, [ebx+ecx*4-0x10]');
  expect(text('26 8B 45 00')).toBe('mov eax, [es:ebp]');
  expect(text('3E 8B 45 00')).toBe('mov eax, [ds:ebp]');
  expect(text('36 8B 45 00')).toBe('mov eax, [ebp]');
  expect(text('8B 46 08', 16)).toBe('mov ax, [bp+8]');
  expect(text('67 A1 34 12')).toBe('mov eax, [word 0x1234]');
  expect(text('8B 04 6D 00 00 00 00')).toBe('mov eax, [nosplit ebp*2]');
});

test('numbers: bit patterns in full, small negative terms with their sign', () => {
  expect(text('83 C0 F8')).toBe('add eax, -8');
  expect(text('83 E4 F0')).toBe('and esp, 0xfffffff0');
  expect(text('66 83 E4 F0')).toBe('and sp, 0xfff0');
  expect(text('6A FF')).toBe('push -1');
  expect(text('B8 FF FF FF FF')).toBe('mov eax, 0xffffffff');
});

test('branches show where they go, by name when there is one', () => {
  expect(text('EB FE')).toBe('jmp short 0x1000');
  expect(text('74 10')).toBe('jz short 0x1012');
  expect(text('0F 84 10 00 00 00')).toBe('jz near 0x1016');
  expect(text('E8 FB 0F 00 00')).toBe('call 0x2000');
  expect(text('66 E8 FC 0F')).toBe('call word 0x2000');
  expect(text('E8 FD EF', 16)).toBe('call 0');
  expect(text('EA 00 00 00 00 08 00')).toBe('jmp 8:0');
  const symbols = (address: number) => (address === 0x2000 ? 'main' : undefined);
  expect(text('E8 FB 0F 00 00', 32, 0x1000, { symbols })).toBe('call main');
  expect(text('A1 00 20 00 00', 32, 0x1000, { symbols })).toBe('mov eax, [main]');
});

test('what operands cannot show becomes a prefix', () => {
  expect(text('F3 A5')).toBe('rep movsd');
  expect(text('F2 AE')).toBe('repne scasb');
  expect(text('F3 A6')).toBe('repe cmpsb');
  expect(text('F3 67 26 66 A5')).toBe('rep a16 es movsw');
  expect(text('F0 0F B1 0B')).toBe('lock cmpxchg [ebx], ecx');
  expect(text('66 1E')).toBe('o16 push ds');
  expect(text('66 C9')).toBe('o16 leave');
  expect(text('66 0F 01 13')).toBe('o16 lgdt [ebx]');
  expect(text('67 E2 FD')).toBe('a16 loop 0x1000');
  expect(text('66 CF')).toBe('iretw');
});

test('a range: one line each, db for what is no instruction', () => {
  const lines = disassembleRange(bytesOf('90 FF FF FA 0F 20 C0 F4'), 1, 32, 0x7c00, 10);
  expect(lines.map(({ address, text }) => [address, text])).toEqual([
    [0x7c00, 'db 0xff'],
    [0x7c01, 'db 0xff'],
    [0x7c02, 'cli'],
    [0x7c03, 'mov eax, cr0'],
    [0x7c06, 'hlt'],
  ]);
  expect([...lines[3].bytes]).toEqual([0x0f, 0x20, 0xc0]);
  expect(disassembleRange(bytesOf('90 90 90'), 0, 32, 0, 2)).toHaveLength(2);
});

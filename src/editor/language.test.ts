// The grammar, run by Monaco's own tokenizer, over small lines and over every guest of the house. Oracle for the latter:
// the assembler's lexer, which was written without knowing the grammar.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
// @ts-expect-error Monaco ships no types for its inner modules
import { compile } from 'monaco-editor/editor/standalone/common/monarch/monarchCompile.js';
// @ts-expect-error as above
import { MonarchTokenizer } from 'monaco-editor/editor/standalone/common/monarch/monarchLexer.js';
import { describe, expect, it } from 'vitest';
import { lexLine } from '../assembler/lexer.ts';
import { SourceLine } from '../assembler/source.ts';
import { NUMBER, STRING } from '../assembler/token.ts';
import { MNEMONICS, REGISTERS } from '../machine/isa/describe.ts';
import { plainPrivilege } from './classify.ts';
import { sourceGrammar } from './language.ts';

interface Tokenized {
  tokens: { offset: number; type: string }[];
  endState: unknown;
}
const configuration = { getValue: () => 20_000, onDidChangeConfiguration: () => ({ dispose() {} }) };
const source: {
  getInitialState(): unknown;
  tokenize(line: string, hasEol: boolean, state: unknown): Tokenized;
} = new MonarchTokenizer(null, null, 'test', compile('test', sourceGrammar()), configuration);

/** `[text, type]` of each token but white space, all lines in one go. */
function tokens(text: string): [string, string][] {
  let state = source.getInitialState();
  return text.split('\n').flatMap((line) => {
    const result = source.tokenize(line, true, state);
    state = result.endState;
    return result.tokens
      .map((token, n): [string, string] => [
        line.slice(token.offset, result.tokens[n + 1]?.offset ?? line.length).trim(),
        token.type,
      ])
      .filter(([part]) => part !== '');
  });
}
const typeOf = (text: string, word: string) => tokens(text).find(([part]) => part === word)?.[1];

describe('words of the instruction table', () => {
  it('each mnemonic wears its class, wherever it stands and in any case', () => {
    for (const name of MNEMONICS) {
      const type = `mnemonic.${plainPrivilege(name)}`;
      expect(typeOf(`        ${name}`, name), name).toBe(type);
      expect(typeOf(`x: ${name}`, name), name).toBe(type);
      expect(typeOf(`  times 3 ${name}`, name), name).toBe(type);
      expect(typeOf(name.toUpperCase(), name.toUpperCase()), name).toBe(type);
    }
  });

  it('knows every register', () => {
    for (const name of REGISTERS) expect(typeOf(`  inc ${name}`, name)).toMatch(/^register/);
  });

  it.each([
    ['mov eax, ebx', 'mov', 'innocuous'],
    ['mov cr3, eax', 'mov', 'privileged'],
    ['mov eax, cr0', 'mov', 'privileged'],
    ['mov dr7, eax', 'mov', 'privileged'],
    ['mov eax, cs', 'mov', 'sensitive'],
    ['mov [es:di], eax', 'mov', 'innocuous'],
    ['mov ds, ax', 'mov', 'sensitive'],
    ['push eax', 'push', 'innocuous'],
    ['push cs', 'push', 'sensitive'],
    ['pop ss', 'pop', 'sensitive'],
    ['jmp .loop', 'jmp', 'innocuous'],
    ['jmp [cs:bx]', 'jmp', 'innocuous'],
    ['jmp KERNEL_CS:.segments', 'jmp', 'sensitive'],
    ['jmp dword far [bp]', 'jmp', 'sensitive'],
    ['call 0x10:start', 'call', 'sensitive'],
    ['cli', 'cli', 'io'],
    ['popfd', 'popfd', 'sensitive'],
  ])('%s: %s is %s as it is written', (line, word, privilege) => {
    expect(typeOf(`        ${line} ; why`, word)).toBe(`mnemonic.${privilege}`);
    expect(typeOf(`label:  ${line}`, word)).toBe(`mnemonic.${privilege}`);
    expect(typeOf(`        times 2 ${line}`, word)).toBe(`mnemonic.${privilege}`);
  });
});

describe('lines', () => {
  it('tells labels, macros, names and directives apart', () => {
    expect(tokens('.hang:  hlt ; so it ends')).toEqual([
      ['.hang', 'label'],
      [':', 'operator'],
      ['hlt', 'mnemonic.privileged'],
      ['; so it ends', 'comment'],
    ]);
    expect(tokens('PAGE_SIZE equ 4096')).toEqual([
      ['PAGE_SIZE', 'label'],
      ['equ', 'data'],
      ['4096', 'number'],
    ]);
    expect(tokens('        hypercall HYPERVISOR_iret')).toEqual([
      ['hypercall', 'macro'],
      ['HYPERVISOR_iret', 'name'],
    ]);
    expect(tokens('start:  hypercall 3').map(([, type]) => type)).toEqual([
      'label',
      'operator',
      'macro',
      'number',
    ]);
    expect(tokens('        section .text')).toEqual([
      ['section', 'directive'],
      ['.text', 'name'],
    ]);
    expect(tokens('[bits 16]').map(([, type]) => type)).toEqual([
      'operator',
      'directive',
      'number',
      'operator',
    ]);
  });

  it('reads preprocessor lines, parameters and local names', () => {
    expect(tokens('%macro exception 1')).toEqual([
      ['%macro', 'preprocessor'],
      ['exception', 'macro'],
      ['1', 'number'],
    ]);
    expect(tokens('exception_%1:').map(([part, type]) => `${part} ${type}`)).toContain('%1 parameter');
    expect(typeOf('        jz %%done', '%%done')).toBe('parameter');
    expect(tokens('        mov eax, 7 % 4').at(-2)).toEqual(['%', 'operator']);
    expect(tokens('%comment\nmov eax, 1\n%endcomment\n nop').map(([, type]) => type)).toEqual([
      'preprocessor',
      'comment',
      'preprocessor',
      'mnemonic.innocuous',
    ]);
  });

  it.each(['0x1F', '$0ff', '1fh', '0b1010_1010', '17q', '1_000', '0d10', '1.5e+3', '0FFh', '101b'])(
    '%s is a number',
    (n) => {
      expect(typeOf(`  dd ${n}`, n)).toBe('number');
    },
  );

  it('ends strings at their quote, and at the end of the line when it is missing', () => {
    expect(tokens(`db "it's", 'a;b'`).filter(([, type]) => type === 'string')).toHaveLength(2);
    expect(tokens('db `a\\n\\x41`').map(([part]) => part)).toContain('\\n\\x41');
    expect(tokens('db "open\n nop').map(([, type]) => type)).toEqual([
      'data',
      'string.invalid',
      'mnemonic.innocuous',
    ]);
    expect(tokens('db `open\n nop').at(-1)).toEqual(['nop', 'mnemonic.innocuous']);
  });
});

describe('agrees with the lexer of the assembler', () => {
  const guests = join(import.meta.dirname, '../guests');
  const files = readdirSync(guests, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(asm|inc)$/.test(name),
  );

  it.each(files.map((file) => [file]))('%s', (file) => {
    let state = source.getInitialState();
    readFileSync(join(guests, file), 'utf8')
      .split('\n')
      .forEach((line, n) => {
        const result = source.tokenize(line, true, state);
        state = result.endState;
        const at = (offset: number) => result.tokens.findLast((token) => token.offset <= offset)?.type ?? '';
        for (const token of lexLine(line, new SourceLine(file, n + 1, line))) {
          const where = `${file}:${n + 1}: ${line.slice(token.start, token.end)}`;
          if (token.kind === STRING) expect(at(token.start), where).toMatch(/^string/);
          else if (token.kind === NUMBER) expect(at(token.start), where).toMatch(/^(number|parameter)/);
          else expect(at(token.start), where).not.toMatch(/^(string|comment|number)/);
        }
      });
  });
});

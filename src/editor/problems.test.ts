import { describe, expect, it } from 'vitest';
import { assemble } from '../assembler/assemble.ts';
import { countByFile, countOf, countText, fixOf, markersOf, problemsOf } from './problems.ts';

/** Problems of a source, as the assembler itself reports them, and the text each marker covers. */
function marked(source: string) {
  const lines = source.split('\n');
  const problems = problemsOf(assemble(new Map([['a.asm', source]]), 'a.asm').diagnostics);
  const markers = markersOf(problems, 'a.asm', (line) => lines[line - 1]?.length);
  return {
    problems,
    markers,
    texts: markers.map((m) => lines[m.startLineNumber - 1].slice(m.startColumn - 1, m.endColumn - 1)),
  };
}

describe('markers', () => {
  it('stand under the very word, and offer the replacement', () => {
    const { problems, texts } = marked('bits 32\n        mvo     eax, 1\n        mov     eax, [ebx\n');
    expect(texts[0]).toBe('mvo');
    expect(problems[0].fix).toEqual({ title: 'Replace by “mov”', text: 'mov' });
    expect(problems[1].line).toBe(3);
  });

  it('of other files are not drawn here', () => {
    const { problems } = marked('        mvo eax, 1');
    expect(markersOf(problems, 'b.asm', () => 80)).toEqual([]);
  });

  it('survive that the text was edited since', () => {
    const { problems } = marked('nop\n        mvo     eax, 1');
    expect(markersOf(problems, 'a.asm', (line) => (line === 1 ? 3 : undefined))).toEqual([]);
    const [marker] = markersOf(problems, 'a.asm', () => 2);
    expect([marker.startColumn, marker.endColumn]).toEqual([3, 4]);
  });
});

describe('suggestions', () => {
  it('are fixes only where they replace what is marked', () => {
    expect(fixOf('did you mean `popfd`?')?.text).toBe('popfd');
    expect(fixOf('write `start:`')?.text).toBe('start:');
    expect(fixOf('jump far: `jmp selector:label`')).toBeNull();
    expect(fixOf('`bits 16` or `bits 32`')).toBeNull();
    expect(fixOf(undefined)).toBeNull();
  });
});

describe('counts', () => {
  it('are written in words', () => {
    expect(countText({ errors: 0, warnings: 0 })).toBe('no problems');
    expect(countText({ errors: 1, warnings: 2 })).toBe('1 error, 2 warnings');
  });
  it('are kept by file', () => {
    const { problems } = marked('        mvo eax, 1\n        pushfx eax, 1');
    expect(countOf(problems).errors).toBe(2);
    expect(countByFile(problems).get('a.asm')?.errors).toBe(2);
  });
});

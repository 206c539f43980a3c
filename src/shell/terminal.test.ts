import { describe, expect, it } from 'vitest';
import { Terminal, unpackLook } from './terminal.ts';

const screen = (text: string, columns = 20, rows = 5) => {
  const terminal = new Terminal(columns, rows);
  terminal.feed(text);
  return terminal;
};
const shown = (text: string, columns = 20, rows = 5) => screen(text, columns, rows).toString().trimEnd();

describe('text', () => {
  it('goes on line after line, with LF or CR LF', () => {
    expect(shown('one\ntwo\r\nthree')).toBe('one\ntwo\nthree');
  });

  it('wraps at the edge', () => {
    expect(shown('abcdefgh', 5)).toBe('abcde\nfgh');
  });

  it('is overwritten after CR, and taken back by BS', () => {
    expect(shown('100 %\r 99')).toBe(' 99 %');
    expect(shown('abx\b \bc')).toBe('abc');
  });

  it('goes to tab stops', () => {
    expect(shown('a\tb')).toBe('a       b');
  });

  it('scrolls off the screen and is kept above it', () => {
    const terminal = screen('1\n2\n3\n4\n5\n6\n7');
    expect(terminal.top).toBe(2);
    expect(terminal.toString()).toBe('1\n2\n3\n4\n5\n6\n7');
  });

  it('is forgotten at last: memory stays bounded', () => {
    const terminal = screen('line\n'.repeat(5000));
    expect(terminal.lines.length).toBeLessThanOrEqual(1005);
    expect(terminal.firstLine).toBe(5001 - terminal.lines.length);
  });
});

describe('control functions (ECMA-48)', () => {
  it('move the cursor', () => {
    expect(shown('\x1b[2;3Hx\x1b[4;1Hy\x1b[A\x1b[2Cz')).toBe('\n  x\n   z\ny');
  });

  it('erase', () => {
    expect(shown('hello world\x1b[6D\x1b[K')).toBe('hello');
    expect(shown('one\ntwo\x1b[2J\x1b[Hnew')).toBe('new');
    expect(shown('one\ntwo\nthree\x1b[2;2H\x1b[J')).toBe('one\nt');
  });

  it('insert and delete, characters and lines', () => {
    expect(shown('ace\x1b[2D\x1b[@b')).toBe('abce');
    expect(shown('abxc\x1b[2D\x1b[P')).toBe('abc');
    expect(shown('1\n2\n3\x1b[2;1H\x1b[L')).toBe('1\n\n2\n3');
    expect(shown('1\n2\n3\n4\n5\x1b[2;1H\x1b[M')).toBe('1\n3\n4\n5');
  });

  it('scroll a region and leave the rest alone', () => {
    expect(shown('top\na\nb\nc\nend\x1b[2;4r\x1b[4;1H\nd')).toBe('top\nb\nc\nd\nend');
    expect(shown('top\na\nb\nc\nend\x1b[2;4r\x1b[2;1H\x1bMz')).toBe('top\nz\na\nb\nend');
  });

  it('colour', () => {
    const { looks } = screen('\x1b[1;31mr\x1b[0mn\x1b[7mv\x1b[38;5;200;44mx').lines[0];
    expect(unpackLook(looks[0])).toEqual({
      foreground: 1,
      background: 256,
      bold: true,
      underlined: false,
      reversed: false,
    });
    expect(unpackLook(looks[1])).toEqual({
      foreground: 256,
      background: 256,
      bold: false,
      underlined: false,
      reversed: false,
    });
    expect(unpackLook(looks[3])).toEqual({
      foreground: 4,
      background: 200,
      bold: false,
      underlined: false,
      reversed: true,
    });
  });

  it('are swallowed when nobody knows them, and never break the text', () => {
    expect(shown('\x1b[?25lhidden\x1b[?25h\x1b]0;title\x07!\x1b[99z?')).toBe('hidden!?');
    expect(shown('\x1b[999;999Hx\x1b[-5Ay', 4, 3)).toMatch(/x|y/);
  });

  it('save and restore', () => {
    expect(shown('ab\x1b7cd\x1b8X')).toBe('abXd');
  });
});

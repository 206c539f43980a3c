import { describe, expect, it } from 'vitest';
import { readMarkdown } from './markdown.ts';

const paragraph = (source: string) => {
  const [block] = readMarkdown(source);
  return block.type === 'paragraph' ? block.children : block;
};

describe('a lesson’s text', () => {
  it('becomes a tree of words', () => {
    expect(paragraph('One **two** *three* `four < 5`')).toEqual([
      { type: 'text', text: 'One ' },
      { type: 'strong', children: [{ type: 'text', text: 'two' }] },
      { type: 'text', text: ' ' },
      { type: 'em', children: [{ type: 'text', text: 'three' }] },
      { type: 'text', text: ' ' },
      { type: 'code', text: 'four < 5' },
    ]);
  });

  it('has lists, tables, code and headings', () => {
    const source =
      '## Title\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | `2` |\n\n```\nmov eax, <1>\n```\n\n> said\n\n---\n';
    expect(readMarkdown(source).map(({ type }) => type)).toEqual([
      'heading',
      'list',
      'table',
      'code',
      'quote',
      'rule',
    ]);
    expect(readMarkdown(source)[3]).toEqual({ type: 'code', text: 'mov eax, <1>' });
  });

  it('links to a pane of the page, and to the web', () => {
    expect(paragraph('[source](pane:source)')).toEqual([
      { type: 'pane', pane: 'source', children: [{ type: 'text', text: 'source' }] },
    ]);
    expect(paragraph('[x](https://example.org/)')).toEqual([
      { type: 'link', href: 'https://example.org/', children: [{ type: 'text', text: 'x' }] },
    ]);
  });
});

describe('a stranger’s text', () => {
  it.each([
    '<script>alert(1)</script>',
    'a <img src=x onerror=alert(1)> b',
    '<div onclick="alert(1)">\n\nx\n\n</div>',
    '<!-- x --><iframe src="//evil"></iframe>',
  ])('keeps its HTML as characters: %s', (source) => {
    const tree = JSON.stringify(readMarkdown(source));
    expect(tree).not.toMatch(/"type":"(?!text|paragraph|strong|em|code)/);
    expect(tree).toContain('<');
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](data:text/html,<b>)',
    '[x](vbscript:x)',
    '[x](//evil.example)',
    '[x](pane:lesson)',
    '[x](pane:source/../x)',
    '<javascript:alert(1)>',
    '![x](javascript:alert(1))',
    '[x][r]\n\n[r]: javascript:alert(1)',
  ])('has no link that could run something: %s', (source) => {
    expect(JSON.stringify(readMarkdown(source))).not.toMatch(/"(href|pane)"/);
  });

  it('may be nested as deeply as it likes', () => {
    expect(readMarkdown('>'.repeat(30_000)).length).toBeGreaterThan(0);
    expect(readMarkdown('['.repeat(30_000)).length).toBeGreaterThan(0);
  });
});

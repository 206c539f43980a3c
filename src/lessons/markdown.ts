// A lesson's text as a tree of plain data: Markdown is read by `marked`, and what comes out has no HTML in it, so that a
// stranger's lesson can put nothing into the page but words. Links go to the web by http(s), or to a pane of the page.
import { lexer, type Token, type Tokens } from 'marked';

export type LinkedPane = 'events' | 'costs' | 'source';
export type Inline =
  | { type: 'text'; text: string }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'em' | 'del'; children: Inline[] }
  | { type: 'link'; href: string; children: Inline[] }
  | { type: 'pane'; pane: LinkedPane; children: Inline[] }
  | { type: 'break' };
export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'heading'; level: number; children: Inline[] }
  | { type: 'list'; ordered: boolean; items: Block[][] }
  | { type: 'code'; text: string }
  | { type: 'quote'; blocks: Block[] }
  | { type: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { type: 'rule' };

/** Reads Markdown. Raw HTML stays what it is: characters. */
export function readMarkdown(source: string): Block[] {
  try {
    return blocks(lexer(source, { gfm: true }));
  } catch {
    // Nested deeper than any text is: shown as it was written.
    return [{ type: 'code', text: source }];
  }
}

function blocks(tokens: readonly Token[]): Block[] {
  return tokens.flatMap((token) => block(token) ?? []);
}

function block(token: Token): Block | null {
  switch (token.type) {
    case 'space':
    case 'def':
      return null;
    case 'heading':
      return {
        type: 'heading',
        level: (token as Tokens.Heading).depth,
        children: inline((token as Tokens.Heading).tokens),
      };
    case 'list': {
      const list = token as Tokens.List;
      return { type: 'list', ordered: list.ordered, items: list.items.map((item) => blocks(item.tokens)) };
    }
    case 'code':
      return { type: 'code', text: (token as Tokens.Code).text };
    case 'blockquote':
      return { type: 'quote', blocks: blocks(token.tokens ?? []) };
    case 'table': {
      const table = token as Tokens.Table;
      const cells = (row: Tokens.TableCell[]) => row.map((cell) => inline(cell.tokens));
      return { type: 'table', head: cells(table.header), rows: table.rows.map(cells) };
    }
    case 'hr':
      return { type: 'rule' };
    default: {
      const { tokens } = token as Tokens.Generic;
      return { type: 'paragraph', children: tokens ? inline(tokens) : words(token.raw.trim()) };
    }
  }
}

const words = (text: string): Inline[] => [{ type: 'text', text }];

function inline(tokens: readonly Token[] | undefined): Inline[] {
  return (tokens ?? []).flatMap((token): Inline[] => {
    switch (token.type) {
      case 'strong':
      case 'em':
      case 'del':
        return [{ type: token.type, children: inline(token.tokens) }];
      case 'codespan':
        return [{ type: 'code', text: (token as Tokens.Codespan).text }];
      case 'br':
        return [{ type: 'break' }];
      case 'link':
        return link((token as Tokens.Link).href, inline(token.tokens));
      case 'image':
        return words((token as Tokens.Image).text);
      case 'escape':
        return words((token as Tokens.Escape).text);
      case 'text':
        return token.tokens ? inline(token.tokens) : words((token as Tokens.Text).text);
      default:
        return words(token.raw);
    }
  });
}

/** Everything that is neither the web nor a pane is no link at all. */
function link(href: string, children: Inline[]): Inline[] {
  const pane = /^pane:(events|costs|source)$/.exec(href)?.[1] as LinkedPane | undefined;
  if (pane) return [{ type: 'pane', pane, children }];
  return /^https?:\/\//i.test(href) ? [{ type: 'link', href, children }] : children;
}

// The editor's light and dark theme, made of the page's palette: a privilege class wears the colour of what it causes
// (privileged: a trap or exit; io: a device; sensitive: the hole, and a line under it). Every text colour is brought to
// WCAG AA on the editor's ground.
import type { editor } from 'monaco-editor/editor';
import { mix, PALETTES, type Scheme, toNumber } from '../canvas/palette.ts';
import { TOKENS } from './language.ts';

export const THEME_NAMES: Readonly<Record<Scheme, string>> = {
  dark: 'ringside-dark',
  light: 'ringside-light',
};
const AA = 4.5;

const linear = (channel: number) =>
  channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;

/** WCAG 2.2 contrast ratio of two colours `#rrggbb`. */
export function contrast(a: string, b: string): number {
  const [high, low] = [a, b].map(luminance).sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [16, 8, 0].map((shift) => linear(((toNumber(colour) >> shift) & 255) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** `#rrggbb`, the share of the way from `a` to `b`. */
export function blend(a: string, b: string, share: number): string {
  return `#${mix(toNumber(a), toNumber(b), share).toString(16).padStart(6, '0')}`;
}

/** The colour, moved towards `text` until it can be read on `ground`. */
export function readable(colour: string, ground: string, text: string): string {
  for (let share = 0; share < 1; share += 0.05) {
    const candidate = blend(colour, text, share);
    if (contrast(candidate, ground) >= AA) return candidate;
  }
  return text;
}

/** The theme of a scheme, as Monaco's `defineTheme` takes it. */
export function themeOf(scheme: Scheme): editor.IStandaloneThemeData {
  const p = PALETTES[scheme];
  const rule = (token: string, colour: string, fontStyle = ''): editor.ITokenThemeRule => ({
    token,
    foreground: readable(colour, p.panel, p.text).slice(1),
    fontStyle,
  });
  return {
    base: scheme === 'dark' ? 'vs-dark' : 'vs',
    inherit: true,
    rules: [
      rule('', p.text),
      rule(TOKENS.mnemonic('innocuous'), p.accent),
      rule(TOKENS.mnemonic('privileged'), p.meaning.exit, 'bold'),
      rule(TOKENS.mnemonic('io'), p.meaning.device, 'bold'),
      rule(TOKENS.mnemonic('sensitive'), p.meaning.hole, 'bold underline'),
      rule(TOKENS.register, blend(p.place.user, p.text, 0.25)),
      rule(TOKENS.segment, blend(p.place.user, p.text, 0.25), 'italic'),
      rule(TOKENS.data, blend(p.accent, p.dim, 0.5)),
      rule(TOKENS.size, blend(p.accent, p.dim, 0.5)),
      rule(TOKENS.prefix, p.accent, 'italic'),
      rule(TOKENS.directive, p.meaning.paging),
      rule(TOKENS.preprocessor, p.meaning.paging),
      rule(TOKENS.parameter, p.meaning.paging, 'italic'),
      rule(TOKENS.here, p.meaning.paging),
      rule(TOKENS.macro, p.meaning.paging, 'bold'),
      rule(TOKENS.label, p.text, 'bold'),
      rule(TOKENS.name, p.text),
      rule(TOKENS.number, p.meaning.inject),
      rule(TOKENS.string, p.good),
      rule(TOKENS.escape, p.meaning.inject),
      rule(TOKENS.unclosed, p.danger),
      rule(TOKENS.comment, blend(p.dim, p.panel, 0.15)),
      rule(TOKENS.operator, p.dim),
    ],
    colors: {
      'editor.background': p.panel,
      'editor.foreground': p.text,
      'editorLineNumber.foreground': readable(blend(p.dim, p.panel, 0.25), p.panel, p.text),
      'editorLineNumber.activeForeground': p.text,
      'editorCursor.foreground': p.accent,
      'editor.selectionBackground': `${p.accent}55`,
      'editor.inactiveSelectionBackground': `${p.accent}2b`,
      'editor.lineHighlightBackground': `${p.raised}80`,
      'editor.lineHighlightBorder': '#00000000',
      'editor.wordHighlightBackground': `${p.accent}22`,
      'editor.findMatchBackground': `${p.focus}55`,
      'editor.findMatchHighlightBackground': `${p.focus}2b`,
      'editor.findMatchBorder': p.focus,
      'editorError.foreground': p.danger,
      'editorWarning.foreground': readable(p.warm, p.panel, p.text),
      'editorGutter.background': p.panel,
      'editorIndentGuide.background1': '#00000000',
      'editorBracketMatch.background': `${p.accent}30`,
      'editorBracketMatch.border': '#00000000',
      'editorWidget.background': p.raised,
      'editorWidget.foreground': p.text,
      'editorWidget.border': p.line,
      'editorHoverWidget.background': p.raised,
      'editorHoverWidget.foreground': p.text,
      'editorHoverWidget.border': p.control,
      'editorSuggestWidget.background': p.raised,
      'editorSuggestWidget.border': p.control,
      'editorSuggestWidget.selectedBackground': blend(p.raised, p.accent, 0.3),
      'editorSuggestWidget.highlightForeground': readable(p.accent, p.raised, p.text),
      'input.background': p.panel,
      'input.border': p.control,
      'list.hoverBackground': blend(p.raised, p.text, 0.08),
      'list.focusBackground': blend(p.raised, p.accent, 0.3),
      'list.activeSelectionBackground': blend(p.raised, p.accent, 0.3),
      'list.activeSelectionForeground': p.text,
      'menu.background': p.raised,
      'menu.foreground': p.text,
      'menu.selectionBackground': blend(p.raised, p.accent, 0.3),
      'menu.selectionForeground': p.text,
      'menu.border': p.control,
      'quickInput.background': p.raised,
      'quickInput.foreground': p.text,
      'textCodeBlock.background': p.panel,
      'textLink.foreground': readable(p.accent, p.raised, p.text),
      'scrollbarSlider.background': `${p.control}55`,
      'scrollbarSlider.hoverBackground': `${p.control}88`,
      'scrollbarSlider.activeBackground': `${p.control}aa`,
      'scrollbar.shadow': '#00000000',
      focusBorder: p.focus,
    },
  };
}

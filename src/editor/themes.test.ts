import { describe, expect, it } from 'vitest';
import { PALETTES, type Scheme } from '../canvas/palette.ts';
import { sourceGrammar, TOKENS } from './language.ts';
import { contrast, readable, themeOf } from './themes.ts';

describe.each(['dark', 'light'] as Scheme[])('%s theme', (scheme) => {
  const { rules } = themeOf(scheme);
  const ground = PALETTES[scheme].panel;

  it('every kind of token can be read on the ground (WCAG AA)', () => {
    for (const { token, foreground } of rules)
      expect(contrast(`#${foreground}`, ground), token).toBeGreaterThanOrEqual(4.5);
  });

  it('every kind of token has a rule', () => {
    const named = new Set(rules.map(({ token }) => token));
    for (const token of Object.values(TOKENS))
      if (typeof token === 'string' && !token.includes('.')) expect(named).toContain(token);
    for (const privilege of ['innocuous', 'privileged', 'io', 'sensitive'] as const)
      expect(named).toContain(TOKENS.mnemonic(privilege));
    expect(JSON.stringify(sourceGrammar())).not.toContain('undefined');
  });

  it('colour is never the only difference of a class that matters', () => {
    const styleOf = (privilege: 'innocuous' | 'privileged' | 'sensitive') =>
      rules.find(({ token }) => token === TOKENS.mnemonic(privilege))?.fontStyle;
    expect(new Set([styleOf('innocuous'), styleOf('privileged'), styleOf('sensitive')]).size).toBe(3);
  });
});

describe('contrast', () => {
  it('is that of WCAG', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
  });
  it('a colour that cannot be read moves towards the text colour, no further than needed', () => {
    expect(readable('#0000ff', '#ffffff', '#000000')).toBe('#0000ff');
    expect(contrast(readable('#ffee00', '#ffffff', '#000000'), '#ffffff')).toBeGreaterThanOrEqual(4.5);
  });
});

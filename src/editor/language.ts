// The colours of source code: a Monarch grammar made from the instruction table, so that each mnemonic wears its privilege
// class. The listing of a sealed image uses it too.
// NASM manual "The NASM Language"; Monarch: Monaco's own tokenizer format. No Monaco at run time here.
import type { languages } from 'monaco-editor/editor';
import { MNEMONICS, REGISTERS } from '../machine/isa/describe.ts';
import type { PrivilegeClass } from '../machine/isa/form.ts';
import { SEGMENT_REGISTERS } from '../machine/isa/registers.ts';
import { plainPrivilege, specialForms } from './classify.ts';
import { wordsOf } from './vocabulary.ts';

export const LANGUAGE = 'ringside-asm';

/** Token types, as themes name them. */
export const TOKENS = {
  mnemonic: (privilege: PrivilegeClass) => `mnemonic.${privilege}`,
  register: 'register',
  segment: 'register.segment',
  data: 'data',
  directive: 'directive',
  preprocessor: 'preprocessor',
  prefix: 'prefix',
  size: 'size',
  number: 'number',
  string: 'string',
  unclosed: 'string.invalid',
  escape: 'string.escape',
  comment: 'comment',
  label: 'label',
  macro: 'macro',
  parameter: 'parameter',
  name: 'name',
  here: 'here',
  operator: 'operator',
} as const;

type Rule = languages.IMonarchLanguageRule;

const NAME = '[a-z_.?@\\u0080-\\uffff][\\w$#~.?@\\u0080-\\uffff]*';
/** What may follow a label without a colon: `buffer resb 4`, `PAGE equ 4096`. */
const AFTER_LABEL = '(?:equ|times|incbin|d[bwdq]|res[bwdq]|istruc)\\b';
const DEFINING =
  '%(?:i?x?define|i?assign|undef|defstr|deftok|strlen|strcat|substr|i?r?macro|unmacro|(?:el)?ifn?(?:def|macro))';

/** Mnemonics whose plain form has this class. */
const classed = (privilege: PrivilegeClass) => MNEMONICS.filter((name) => plainPrivilege(name) === privilege);

/** Patterns for mnemonics that are of another class with some operands, strictest first: `mov(?=\\s+cr[0-7]\\b…)`. */
const SPECIAL: readonly { pattern: string; token: string }[] = MNEMONICS.flatMap((name) => {
  const plain = plainPrivilege(name);
  return specialForms(name)
    .filter((form) => form.privilege !== plain)
    .map((form) => ({ pattern: `${name}(?=\\s+${form.operands})`, token: TOKENS.mnemonic(form.privilege) }));
});

/** What a word is, by the lists of the grammar. */
function wordCases(otherwise: string): Record<string, string> {
  return {
    '@registers': TOKENS.register,
    '@segments': TOKENS.segment,
    '@innocuous': TOKENS.mnemonic('innocuous'),
    '@privileged': TOKENS.mnemonic('privileged'),
    '@io': TOKENS.mnemonic('io'),
    '@sensitive': TOKENS.mnemonic('sensitive'),
    '@data': TOKENS.data,
    '@sizes': TOKENS.size,
    '@prefixes': TOKENS.prefix,
    '@directives': TOKENS.directive,
    '@default': otherwise,
  };
}

const wordLists = () => ({
  ignoreCase: true,
  defaultToken: '',
  tokenPostfix: '',
  registers: REGISTERS.filter((name) => !SEGMENT_REGISTERS.includes(name)),
  segments: [...SEGMENT_REGISTERS],
  innocuous: classed('innocuous'),
  privileged: classed('privileged'),
  io: classed('io'),
  sensitive: classed('sensitive'),
  data: wordsOf('data'),
  sizes: wordsOf('size'),
  prefixes: wordsOf('prefix'),
  directives: wordsOf('directive'),
});

/** White space, comments, strings, numbers, words and operators: what stands anywhere in a line. */
function anywhere(): Rule[] {
  return [
    [/[ \t\r\u00a0]+/, ''],
    [/;.*$/, TOKENS.comment],
    [/'[^']*'|"[^"]*"/, TOKENS.string],
    [/`/, { token: TOKENS.string, next: '@escaped' }],
    [/['"].*$/, TOKENS.unclosed],
    [/\d[\d_]*(?:\.[\d_]*)?e[+-]\d\w*/, TOKENS.number],
    [/\$?\d[\w.]*/, TOKENS.number],
    [/%(?:\{[^}]*\}|\[|[+-]?\d+|%[\w.?@$#~]+|\$+[\w.?@$#~]+|\+|\?\??)/, TOKENS.parameter],
    [/\$\$?(?![a-z_.?@\d])/, TOKENS.here],
    [/__\?*\w+\?*__/, TOKENS.here],
    ...SPECIAL.map(({ pattern, token }): Rule => [new RegExp(pattern), token]),
    [new RegExp(`\\$?${NAME}`), { cases: wordCases(TOKENS.name) }],
    [/[-+*/%&|^~!<>=?:,()[\]{}\\$#@]/, TOKENS.operator],
  ];
}

/** The grammar of NASM's dialect. */
export function sourceGrammar(): languages.IMonarchLanguage {
  return {
    ...wordLists(),
    tokenizer: {
      root: [
        [/^\s*%comment\b/, { token: TOKENS.preprocessor, next: '@skipped' }],
        [new RegExp(`^(\\s*)(${DEFINING})(\\s+)(${NAME})`), ['', TOKENS.preprocessor, '', TOKENS.macro]],
        [/^(\s*)(%[a-z]\w*)/, ['', TOKENS.preprocessor]],
        [/^(\s*)(\[)(\s*)([a-z]\w*)/, ['', TOKENS.operator, '', { cases: wordCases(TOKENS.directive) }]],
        // A line that was continued ends in a backslash; the next one begins here all the same.
        [
          new RegExp(`^(\\s*)(\\$?${NAME})(\\s*)(:)`),
          ['', TOKENS.label, '', { token: TOKENS.operator, next: '@statement' }],
        ],
        [
          /^(\s*)(%%[\w.?@$#~]+|%\$+[\w.?@$#~]+)(\s*)(:)/,
          ['', TOKENS.label, '', { token: TOKENS.operator, next: '@statement' }],
        ],
        [new RegExp(`^(\\s*)(\\$?${NAME})(?=\\s+${AFTER_LABEL})`), ['', { cases: wordCases(TOKENS.label) }]],
        ...SPECIAL.map(({ pattern, token }): Rule => [new RegExp(`^(\\s*)(${pattern})`), ['', token]]),
        [new RegExp(`^(\\s*)(\\$?${NAME})`), ['', { cases: wordCases(TOKENS.macro) }]],
        ...anywhere(),
      ],
      // Behind a label: one more word may be an instruction or a macro.
      statement: [
        [/^/, { token: '', next: '@pop' }],
        [/[ \t]+/, ''],
        ...SPECIAL.map(({ pattern, token }): Rule => [new RegExp(pattern), { token, next: '@pop' }]),
        [new RegExp(`\\$?${NAME}`), { cases: statementCases() }],
        [/(?=.)/, { token: '', next: '@pop' }],
      ],
      escaped: [
        [/^/, { token: '', next: '@pop' }],
        [/\\(?:x[\da-f]{1,2}|u[\da-f]{1,4}|[0-7]{1,3}|.)/, TOKENS.escape],
        [/[^\\`]+/, TOKENS.string],
        [/`/, { token: TOKENS.string, next: '@pop' }],
        [/\\/, TOKENS.unclosed],
      ],
      skipped: [
        [/^\s*%endcomment\b/, { token: TOKENS.preprocessor, next: '@pop' }],
        [/.+/, TOKENS.comment],
      ],
    },
  };
}

function statementCases(): Record<string, languages.IMonarchLanguageAction> {
  return Object.fromEntries(
    Object.entries(wordCases(TOKENS.macro)).map(([list, token]) => [list, { token, next: '@pop' }]),
  );
}

/** Comments, brackets and words for the editor's own commands. */
export const CONFIGURATION: languages.LanguageConfiguration = {
  comments: { lineComment: ';' },
  brackets: [
    ['[', ']'],
    ['(', ')'],
  ],
  autoClosingPairs: [
    { open: '[', close: ']' },
    { open: '(', close: ')' },
    { open: '"', close: '"', notIn: ['string', 'comment'] },
    { open: "'", close: "'", notIn: ['string', 'comment'] },
  ],
  wordPattern: /%?%?\$?[a-zA-Z_.?@\u0080-\uffff][\w$#~.?@\u0080-\uffff]*|\$?\d[\w.]*/,
};

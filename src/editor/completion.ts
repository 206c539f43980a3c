// What may be written next: instructions where a statement begins, registers, sizes and names behind them, directives
// behind a percent sign. Pure; providers.ts hands it to Monaco.
import { describeMnemonic, MNEMONICS, REGISTERS } from '../machine/isa/describe.ts';
import { PRIVILEGE_WORDS, plainPrivilege } from './classify.ts';
import { mnemonicHelp } from './help.ts';
import { type Definition, splitComment } from './outline.ts';
import { describeRegister } from './register-help.ts';
import { VOCABULARY, wordsOf } from './vocabulary.ts';

export type CompletionKind = 'instruction' | 'register' | 'keyword' | 'label' | 'constant' | 'macro';

export interface Completion {
  readonly label: string;
  readonly kind: CompletionKind;
  readonly detail: string;
  readonly documentation: string;
}

/** Where in a line something is being written. */
export type Place = 'statement' | 'operand' | 'preprocessor' | 'nothing';

const STATEMENT_START =
  /^\s*(?:[\w.?@$#~%]+:\s*)?(?:(?:lock|rep|repe|repz|repne|repnz|a16|a32|o16|o32|times\s+\S+)\s+)*[\w.?@$#~]*$/i;

/** @param before the line up to the cursor */
export function placeIn(before: string): Place {
  const { code } = splitComment(before);
  if (code.length < before.length) return 'nothing';
  if ((code.match(/["'`]/g)?.length ?? 0) % 2 === 1) return 'nothing';
  if (/^\s*%\w*$/.test(code)) return 'preprocessor';
  return STATEMENT_START.test(code) ? 'statement' : 'operand';
}

const keyword = (label: string): Completion => ({
  label,
  kind: 'keyword',
  detail: VOCABULARY.get(label)?.kind ?? '',
  documentation: VOCABULARY.get(label)?.help ?? '',
});

const INSTRUCTIONS: readonly Completion[] = MNEMONICS.map((label) => ({
  label,
  kind: 'instruction',
  detail: PRIVILEGE_WORDS[plainPrivilege(label) ?? 'innocuous'].short,
  documentation: describeMnemonic(label)?.summary ?? '',
}));
const STATEMENTS: readonly Completion[] = [
  ...INSTRUCTIONS,
  ...['data', 'directive', 'prefix'].flatMap((kind) => wordsOf(kind as 'data').map(keyword)),
];
const OPERANDS: readonly Completion[] = [
  ...REGISTERS.map(
    (label): Completion => ({
      label,
      kind: 'register',
      detail: describeRegister(label)?.title ?? '',
      documentation: describeRegister(label)?.help ?? '',
    }),
  ),
  ...wordsOf('size').map(keyword),
];
const DIRECTIVES: readonly Completion[] = wordsOf('preprocessor').map(keyword);

/**
 * Everything that may stand at a place; the editor sorts out what fits the letters typed so far.
 * @param parent the global label above: its local labels are offered, others' are not
 */
export function completionsAt(
  place: Place,
  definitions: readonly Definition[],
  parent: string,
): Completion[] {
  if (place === 'nothing') return [];
  if (place === 'preprocessor') return [...DIRECTIVES];
  const names = definitions.filter(
    (d) =>
      (place === 'statement' ? d.kind === 'macro' || d.kind === 'define' : d.kind !== 'macro') &&
      (d.kind !== 'local' || d.parent === parent),
  );
  return [
    ...(place === 'statement' ? STATEMENTS : OPERANDS),
    ...new Map(names.map((d) => [d.name, named(d)])).values(),
  ];
}

function named(d: Definition): Completion {
  const kind =
    d.kind === 'constant' || d.kind === 'define' ? 'constant' : d.kind === 'macro' ? 'macro' : 'label';
  return { label: d.name, kind, detail: d.detail || d.file, documentation: d.comment };
}

/** The longer help of a suggestion, made when it is looked at. */
export function longHelp(completion: Completion): string {
  if (completion.kind !== 'instruction') return completion.documentation;
  return mnemonicHelp(completion.label, '')?.slice(1).join('\n\n') ?? completion.documentation;
}

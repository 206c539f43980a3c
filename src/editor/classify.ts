// Which privilege class an instruction has *as it is written*: `mov cr3,eax` is privileged, `mov eax,ebx` is not.
// The operand shapes come from the instruction table; the grammar and the hover help read the same patterns.
import { describeMnemonic, type MnemonicDescription } from '../machine/isa/describe.ts';
import type { OperandKind, PrivilegeClass } from '../machine/isa/form.ts';
import { formsByMnemonic } from '../machine/isa/table.ts';

export type MnemonicMeaning = MnemonicDescription['meanings'][number];

/** One way of writing a mnemonic that means something else than the plain way does. */
export interface SpecialForm {
  /** Regular expression source for the operands, without anchors, to be matched without regard to case. */
  readonly operands: string;
  readonly privilege: PrivilegeClass;
  readonly operation: string;
}

const FIXED_SEGMENTS: ReadonlySet<OperandKind> = new Set(['es', 'cs', 'ss', 'ds', 'fs', 'gs']);

/** What a kind looks like in source when that tells it from a general operand; null when it does not. */
function shapeOf(kind: OperandKind): string | null {
  if (kind === 'sreg') return '[c-gs]s\\b';
  if (kind === 'cr' || kind === 'dr') return `${kind}[0-7]\\b`;
  if (FIXED_SEGMENTS.has(kind)) return `${kind}\\b`;
  // A far pointer is `selector:offset`; a colon inside brackets is a segment override instead.
  if (kind === 'far') return '[^\\[,;"\'`]*:';
  if (kind === 'mfar') return '(?:\\w+\\s+)?far\\b';
  return null;
}

const GENERAL = '[^,;]+';
const STRICTNESS: readonly PrivilegeClass[] = ['innocuous', 'io', 'sensitive', 'privileged'];

/** The forms of a mnemonic that can be told by their operands, strictest class first. */
export function specialForms(mnemonic: string): readonly SpecialForm[] {
  const forms = formsByMnemonic.get(mnemonic.toLowerCase()) ?? [];
  const found = new Map<string, SpecialForm>();
  for (const { operands, privilege, operation } of forms) {
    const shapes = operands.map(shapeOf);
    if (shapes.every((shape) => shape === null)) continue;
    const pattern = shapes.map((shape) => shape ?? GENERAL).join('\\s*,\\s*');
    if (!found.has(pattern)) found.set(pattern, { operands: pattern, privilege, operation });
  }
  return [...found.values()].sort(
    (a, b) => STRICTNESS.indexOf(b.privilege) - STRICTNESS.indexOf(a.privilege),
  );
}

/** The class of a mnemonic written in its plainest way; undefined when the table does not know it. */
export function plainPrivilege(mnemonic: string): PrivilegeClass | undefined {
  const description = describeMnemonic(mnemonic);
  if (!description) return undefined;
  const classes = description.meanings.map((meaning) => STRICTNESS.indexOf(meaning.privilege));
  return STRICTNESS[Math.min(...classes)];
}

/**
 * What a written instruction means.
 * @param operands the text behind the mnemonic, up to the comment
 * @returns undefined when the table does not know the mnemonic
 */
export function meaningOf(mnemonic: string, operands: string): MnemonicMeaning | undefined {
  const description = describeMnemonic(mnemonic);
  if (!description) return undefined;
  const text = operands.trim();
  for (const form of specialForms(mnemonic)) {
    if (!new RegExp(`^${form.operands}`, 'i').test(text)) continue;
    const meaning = description.meanings.find((m) => m.operation === form.operation);
    if (meaning) return meaning;
  }
  const plain = plainPrivilege(mnemonic);
  return description.meanings.find((meaning) => meaning.privilege === plain) ?? description.meanings[0];
}

/** The classes in words, for hover help and completion: what the processor does outside ring 0. */
export const PRIVILEGE_WORDS: Readonly<Record<PrivilegeClass, { short: string; long: string }>> = {
  innocuous: { short: 'innocuous', long: 'Innocuous: it does the same at every ring.' },
  privileged: {
    short: 'privileged: traps at ring > 0',
    long: 'Privileged: works at ring 0, traps at ring > 0.',
  },
  io: { short: 'I/O: traps at ring > IOPL', long: 'I/O-sensitive: traps at ring > IOPL.' },
  sensitive: {
    short: 'sensitive: silently different outside ring 0',
    long: 'Sensitive, yet it does not trap: outside ring 0 it runs on, and silently gives another result.',
  },
};

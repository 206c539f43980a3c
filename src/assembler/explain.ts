// Why no encoding fits: the reason in words, and what to write instead. Only called after matching has failed.
import type { Form, OperandKind } from '../machine/isa/form.ts';
import type { Diagnostics } from './diagnostics.ts';
import { candidates, factsOf } from './encode/match.ts';
import type { InstructionBody, Operand } from './statement.ts';

/** Reports why `body` cannot be encoded. */
export function explain(body: InstructionBody, bits: 16 | 32, diagnostics: Diagnostics): void {
  const { operands, forms, name, place } = body;
  if (candidates(body, bits).some((candidate) => candidate.guessed)) {
    const memory = operands.find((operand) => operand.type === 'memory')!;
    diagnostics.error(
      memory.place,
      'the size of this memory operand is not known',
      sizeAdvice(forms, operands.indexOf(memory)),
    );
    return;
  }
  const counts = [...new Set(forms.map((form) => form.operands.length))].sort();
  if (!counts.includes(operands.length)) {
    const wanted = counts.map((n) => (n === 0 ? 'no' : n)).join(' or ');
    diagnostics.error(
      place,
      `\`${name}\` takes ${wanted} operand${wanted === '1' ? '' : 's'}, not ${operands.length}`,
    );
    return;
  }
  if (
    distance(body, diagnostics) ||
    systemRegister(body, diagnostics) ||
    sizesDiffer(body, diagnostics) ||
    memoryToMemory(body, diagnostics) ||
    loadOfSegment(body, diagnostics)
  )
    return;
  const wrong = operands.findIndex(
    (operand, i) =>
      !forms.some((form) => form.operands.length === operands.length && alone(form.operands[i], operand)),
  );
  if (wrong >= 0) {
    const operand = operands[wrong];
    diagnostics.error(
      operand.place,
      `\`${name}\` does not take ${describe(operand)} as ${ordinal(wrong)} operand`,
      accepted(forms, wrong, operands.length),
    );
    return;
  }
  diagnostics.error(
    place,
    `\`${name}\` does not take these operands together: ${operands.map(describe).join(', ')}`,
  );
}

const WORDS: Record<number, string> = { 8: 'byte', 16: 'word', 32: 'dword', 64: 'qword', 80: 'tword' };

function sizeAdvice(forms: readonly Form[], at: number): string {
  const kinds = new Set(forms.map((form) => form.operands[at]));
  const sizes = [
    kinds.has('rm8') || kinds.has('m8') ? '`byte`' : '',
    kinds.has('rmv') || kinds.has('rm16') ? '`word`' : '',
    kinds.has('rmv') || kinds.has('rm32') ? '`dword`' : '',
  ].filter((text) => text !== '');
  return `write ${sizes.join(' or ')} before the bracket`;
}

function sizesDiffer(body: InstructionBody, diagnostics: Diagnostics): boolean {
  const sized = body.operands.filter((o) => o.size !== 0 && (o.register?.class ?? 'general') === 'general');
  const [a, b] = sized;
  if (!a || !b || a.size === b.size) return false;
  // Shift counts and ports are of another size by nature.
  if (/^(in|out|sh|sa|rol|ror|rc)/.test(body.name)) return false;
  const wider = a.size > b.size;
  const advice =
    body.name === 'mov' && wider && a.register
      ? '`movzx` or `movsx` widens a value'
      : b.type === 'register' && a.type === 'register'
        ? 'use registers of one size'
        : undefined;
  diagnostics.error(b.place, `the operands differ in size: ${a.size} bits and ${b.size} bits`, advice);
  return true;
}

function memoryToMemory(body: InstructionBody, diagnostics: Diagnostics): boolean {
  const memory = body.operands.filter((operand) => operand.type === 'memory');
  if (memory.length < 2) return false;
  diagnostics.error(
    memory[1].place,
    `\`${body.name}\` cannot use two memory operands`,
    'load one into a register first',
  );
  return true;
}

function loadOfSegment(body: InstructionBody, diagnostics: Diagnostics): boolean {
  const [first, second] = body.operands;
  if (body.name !== 'mov' || first?.register?.class !== 'segment') return false;
  if (second.type !== 'immediate' && second.register?.class !== 'segment') return false;
  const what = second.type === 'immediate' ? 'a number' : 'another segment register';
  diagnostics.error(
    second.place,
    `a segment register cannot be loaded from ${what}`,
    `go through a register: \`mov ax, …\` then \`mov ${first.register.name}, ax\``,
  );
  return true;
}

/** Branches that were asked to be of a length that they have not. */
function distance(body: InstructionBody, diagnostics: Diagnostics): boolean {
  const [target] = body.operands;
  if (target?.type !== 'immediate' || !body.forms.some((form) => factsOf(form).relative)) return false;
  const short = !body.forms.some((form) => form.operands.includes('relv'));
  if (target.distance === 'far') {
    const advice = /^(jmp|call)$/.test(body.name) ? `\`${body.name} selector:offset\`` : undefined;
    diagnostics.error(target.place, 'a far branch names a segment and an offset', advice);
  } else if (short && target.distance !== '')
    diagnostics.error(target.place, `\`${body.name}\` is always short`, `leave out \`${target.distance}\``);
  else if (target.size !== 0)
    diagnostics.error(target.place, `\`${body.name}\` takes no size`, 'write `near` or `short`, or nothing');
  else return false;
  return true;
}

function systemRegister(body: InstructionBody, diagnostics: Diagnostics): boolean {
  const system = body.operands.find((o) => o.register && /^(control|debug)$/.test(o.register.class));
  const other = body.operands.find((o) => o !== system);
  if (!system || !other || body.name !== 'mov') return false;
  const message = `\`${system.register!.name}\` moves only to and from a 32-bit general register`;
  diagnostics.error(other.place, message);
  return true;
}

function describe(operand: Operand): string {
  switch (operand.type) {
    case 'register':
      return `the register \`${operand.register!.name}\``;
    case 'memory':
      return operand.size === 0 ? 'memory' : `${WORDS[operand.size] ?? `${operand.size}-bit`} memory`;
    case 'far':
      return 'a far address';
    case 'immediate':
      return operand.size === 0 ? 'a number' : `a ${WORDS[operand.size] ?? `${operand.size}-bit`} number`;
  }
}

const ordinal = (n: number): string => ['first', 'second', 'third', 'fourth'][n];

/** Whether a kind takes an operand when sizes are left aside. */
function alone(kind: OperandKind, operand: Operand): boolean {
  const register = operand.register;
  switch (operand.type) {
    case 'far':
      return kind === 'far';
    case 'memory':
      return /^(rm|m(?!m)|x?mmrm)/.test(kind);
    case 'immediate':
      return /^(imm|rel|one)/.test(kind);
    default:
      if (register!.class === 'segment') return kind === 'sreg' || kind === register!.name;
      if (register!.class === 'control') return kind === 'cr';
      if (register!.class === 'debug') return kind === 'dr';
      if (register!.class === 'mmx') return kind.startsWith('mm');
      if (register!.class === 'sse') return kind.startsWith('xmm');
      if (register!.class === 'x87') return kind === 'sti' || kind === 'tosti' || kind === register!.name;
      if (/^r(8|m8)/.test(kind)) return register!.size === 8;
      if (/^r(16|m16)/.test(kind)) return register!.size === 16;
      if (/^r(32|m32|r32)/.test(kind)) return register!.size === 32;
      if (/^r[mr]?v/.test(kind)) return register!.size !== 8;
      if (kind === 'av') return register!.number === 0 && register!.size !== 8;
      return kind === register!.name;
  }
}

const KIND_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(r|rm|rr)8/, 'an 8-bit register'],
  [/^(r|rm|rr)16/, 'a 16-bit register'],
  [/^(r|rm|rr)32/, 'a 32-bit register'],
  [/^(rv|rmv|rrv)/, 'a 16- or 32-bit register'],
  [/^sreg/, 'a segment register'],
  [/^cr/, 'a control register'],
  [/^(to)?st[i0]/, 'a floating-point register'],
  [/^dr/, 'a debug register'],
  [/^mm/, 'an mm register'],
  [/^xmm/, 'an xmm register'],
  [/^(rm|m|mmrm|xmmrm)(?!offs|m)/, 'memory'],
  [/^(imm|one)/, 'a number'],
  [/^rel/, 'a label'],
  [/^far/, 'segment:offset'],
];

/** What the instruction takes in that place, in words. */
function accepted(forms: readonly Form[], at: number, count: number): string {
  const kinds = new Set(
    forms.filter((form) => form.operands.length === count).map((form) => form.operands[at]),
  );
  const words = new Set<string>();
  for (const kind of kinds) {
    const matching = KIND_WORDS.filter(([pattern]) => pattern.test(kind));
    if (matching.length === 0 && /^[a-z]{2,3}$/.test(kind))
      words.add(kind === 'av' ? '`ax` or `eax`' : `\`${kind}\``);
    for (const [, word] of matching) words.add(word);
  }
  return `it takes ${[...words].join(', ')}`;
}

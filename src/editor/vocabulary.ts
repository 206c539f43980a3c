// The reserved words of the dialect beside instructions and registers, each with one line of help.
// NASM manual, chapters "The NASM Language", "The NASM Preprocessor" and "Assembler Directives".

export interface WordHelp {
  readonly kind: 'data' | 'directive' | 'preprocessor' | 'size' | 'prefix';
  readonly help: string;
}

const DATA: Record<string, string> = {
  db: 'Stores bytes and strings.',
  dw: 'Stores 16-bit words, lowest byte first.',
  dd: 'Stores 32-bit doublewords, lowest byte first.',
  dq: 'Stores 64-bit quadwords, lowest byte first.',
  resb: 'Reserves so many bytes.',
  resw: 'Reserves so many words of 16 bits.',
  resd: 'Reserves so many doublewords of 32 bits.',
  resq: 'Reserves so many quadwords of 64 bits.',
  incbin: 'Stores a file byte for byte: `incbin "name", skip, length`.',
  equ: 'Gives the label in front a value, once and for all.',
  times: 'Repeats what follows so many times: `times 510-($-$$) db 0`.',
};

const DIRECTIVES: Record<string, string> = {
  bits: 'Code from here on is for 16-bit or 32-bit segments.',
  use16: 'The same as `bits 16`.',
  use32: 'The same as `bits 32`.',
  org: 'The address at which the program will be in memory when it starts.',
  section: 'What follows goes into this section: `.text`, `.data`, `.bss` or one of your own.',
  segment: 'The same as `section`.',
  absolute: 'Labels from here on count up from an address; nothing is stored.',
  align: 'Fills up to the next multiple of a power of two, with `nop` or with what you name.',
  alignb: 'As `align`, for reserved space.',
  global: 'Accepted as in NASM; a flat image exports no names.',
  struc: 'Begins a structure: names for offsets, up to `endstruc`.',
  endstruc: 'Ends a structure and defines its `_size`.',
  istruc: 'Begins an instance of a structure, up to `iend`.',
  at: 'A field of the instance: `at field, dd 1`.',
  iend: 'Ends an instance and fills up to its size.',
  cpu: 'Accepted as in NASM.',
  default: 'Accepted as in NASM.',
};

const PREPROCESSOR: Record<string, string> = {
  '%define': 'A name, with or without parameters, that stands for text; its value is read where it is used.',
  '%xdefine': 'As `%define`, but its value is read here and now.',
  '%idefine': 'As `%define`, without regard to case.',
  '%ixdefine': 'As `%xdefine`, without regard to case.',
  '%undef': 'Forgets a name of `%define`.',
  '%assign': 'A name for a number, computed here and now.',
  '%iassign': 'As `%assign`, without regard to case.',
  '%defstr': 'A name for text, turned into a string.',
  '%deftok': 'A name for a string, turned into text.',
  '%strlen': 'A name for the length of a string.',
  '%strcat': 'A name for strings put together.',
  '%substr': 'A name for a part of a string.',
  '%macro': 'A macro of several lines, up to `%endmacro`; parameters are `%1`, `%2` …',
  '%imacro': 'As `%macro`, without regard to case.',
  '%rmacro': 'As `%macro`; it may call itself.',
  '%endmacro': 'Ends a macro.',
  '%exitmacro': 'Leaves a macro before its end.',
  '%unmacro': 'Forgets a macro.',
  '%rotate': 'Moves the parameters of a macro round by so many places.',
  '%rep': 'Repeats the lines up to `%endrep`.',
  '%endrep': 'Ends a repetition.',
  '%exitrep': 'Leaves a repetition.',
  '%include': 'Reads another file here.',
  '%if': 'The lines up to `%else` or `%endif` count when the expression is not 0.',
  '%ifdef': 'The lines count when the name is defined by `%define`.',
  '%ifndef': 'The lines count when the name is not defined.',
  '%ifmacro': 'The lines count when there is such a macro.',
  '%ifidn': 'The lines count when two texts are the same.',
  '%ifempty': 'The lines count when there is no text.',
  '%elif': 'Otherwise, when this expression is not 0.',
  '%elifdef': 'Otherwise, when the name is defined.',
  '%else': 'Otherwise.',
  '%endif': 'Ends a condition.',
  '%push': 'Begins a context, a place for names like `%$name`.',
  '%pop': 'Ends a context.',
  '%repl': 'Gives the context another name.',
  '%error': 'Reports an error with this text.',
  '%warning': 'Reports a warning with this text.',
  '%fatal': 'Reports an error and stops.',
  '%comment': 'Skips the lines up to `%endcomment`.',
  '%endcomment': 'Ends a skipped part.',
};

const SIZES: Record<string, string> = {
  byte: 'An operand of 8 bits.',
  word: 'An operand of 16 bits.',
  dword: 'An operand of 32 bits.',
  qword: 'An operand of 64 bits.',
  short: 'A jump of at most −128 … +127 bytes: two bytes long.',
  near: 'A jump within the segment.',
  far: 'A jump or call to another segment: selector and offset.',
  strict: 'Do not take a shorter encoding than the size that is written.',
  to: 'A word between operands of some instructions.',
  nosplit: 'Leave the index as it is written: `[nosplit eax*2]`.',
};

const PREFIXES: Record<string, string> = {
  lock: 'The access to memory is one step for all processors. Allowed on some instructions only.',
  rep: 'Repeats a string instruction ECX times.',
  repe: 'Repeats while equal, at most ECX times.',
  repz: 'The same as `repe`.',
  repne: 'Repeats while not equal, at most ECX times.',
  repnz: 'The same as `repne`.',
  a16: 'Addresses of 16 bits in this instruction.',
  a32: 'Addresses of 32 bits in this instruction.',
  o16: 'Operands of 16 bits in this instruction.',
  o32: 'Operands of 32 bits in this instruction.',
};

/** Every such word in lower case, with its help. */
export const VOCABULARY: ReadonlyMap<string, WordHelp> = new Map(
  (
    [
      ['data', DATA],
      ['directive', DIRECTIVES],
      ['preprocessor', PREPROCESSOR],
      ['size', SIZES],
      ['prefix', PREFIXES],
    ] as const
  ).flatMap(([kind, words]) => Object.entries(words).map(([word, help]) => [word, { kind, help }] as const)),
);

/** The words of one kind, sorted. */
export function wordsOf(kind: WordHelp['kind']): string[] {
  return [...VOCABULARY]
    .filter(([, word]) => word.kind === kind)
    .map(([name]) => name)
    .sort();
}

// The passes: every statement is worth what the last pass knew of labels, until no label moves (NASM manual §3.7, §3.8).
// Early passes hope for the shortest encodings; the last one writes bytes and reports what is wrong.
import { Diagnostics, nearest, type Place } from './diagnostics.ts';
import { runDirective } from './directives.ts';
import { Code } from './encode/code.ts';
import {
  choose,
  encode,
  evaluateOperands,
  type Position,
  writePrefixes,
  writeValue,
} from './encode/encode.ts';
import { candidates } from './encode/match.ts';
import { explain } from './explain.ts';
import { evaluate, type Scope } from './expression.ts';
import { Abort, type Limits } from './limits.ts';
import { nearestRegister } from './operand-parser.ts';
import { type Labels, parseStatement } from './parser.ts';
import { PRELUDE_NAME } from './preprocessor/prelude.ts';
import { Preprocessor, type Resolver } from './preprocessor/preprocessor.ts';
import { Section, SectionFact } from './sections.ts';
import type { LogicalLine, SourceLine } from './source.ts';
import type { DataBody, InstructionBody, Operand, ReserveBody, Statement } from './statement.ts';
import { type NamedValue, SymbolTable } from './symbols.ts';
import { scalar, sum, UNKNOWN, Value } from './value.ts';

export interface AssemblerOptions {
  readonly defines: Readonly<Record<string, string>>;
  readonly includePaths: readonly string[];
  readonly limits: Limits;
}

/** Bytes that one statement emitted, for the line map and the listing. */
export interface Emission {
  readonly at: SourceLine;
  /** null: absolute space. */
  readonly section: Section | null;
  readonly offset: number;
  readonly length: number;
}

export class Assembler implements Labels, Position {
  /** Of the last reading of the source. */
  readonly parsing: Diagnostics;
  /** Of the last pass. */
  readonly passing: Diagnostics;
  readonly symbols = new SymbolTable();
  readonly sections: Section[] = [];
  readonly emissions: Emission[] = [];
  readonly scope: Scope = this;
  /** Where a value must be known at once: `times`, `org`, `%if`. */
  readonly critical: Scope;
  visited: readonly SourceLine[] = [];
  origin = 0;

  bits: 16 | 32 = 16;
  section: Section | null = null;
  private absolute = UNKNOWN;
  private absoluteStart = UNKNOWN;
  private absoluteOffset = 0;
  private originSet = false;
  private parent = '';
  private program: Statement[] | null = null;
  private final = false;
  private emitted = 0;
  private active: Diagnostics;
  private readonly code = new Code();
  private readonly cache = new Map<string, LogicalLine[]>();
  private readonly facts = new Map<string, SectionFact>();
  private zeroingWarned = false;
  /** Something was reported, or would have been in the last pass. */
  private complained = false;

  constructor(
    private readonly main: string,
    private readonly resolve: Resolver,
    private readonly options: AssemblerOptions,
  ) {
    this.parsing = new Diagnostics(options.limits.diagnostics);
    this.passing = new Diagnostics(options.limits.diagnostics);
    this.active = this.parsing;
    this.critical = {
      lookup: (symbol, place) => this.lookupNow(symbol, place),
      here: () => this.here(),
      sectionStart: () => this.sectionStart(),
      report: (place, message, suggestion) => this.diagnostics.error(place, message, suggestion),
    };
  }

  get diagnostics(): Diagnostics {
    return this.active;
  }

  // --- Passes -------------------------------------------------------------------------------------------------

  /** Runs all passes. False when the work was cut short; the reason has been reported. */
  run(): boolean {
    try {
      for (let pass = 1, settled = false; !settled; pass++) {
        if (pass > this.options.limits.passes) {
          const place = { line: { file: this.main, number: 1, text: '' }, start: 0, end: 1 };
          this.parsing.error(
            place,
            `the labels still move after ${this.options.limits.passes} passes: this program has no fixed size`,
          );
          return false;
        }
        this.pass(false);
        settled = this.symbols.changes === 0;
      }
      this.pass(true);
      return true;
    } catch (error) {
      if (error instanceof Abort) return false;
      if (error instanceof RangeError) {
        const place = { line: { file: this.main, number: 1, text: '' }, start: 0, end: 1 };
        this.parsing.error(place, 'this program is too deeply nested to be assembled');
        return false;
      }
      throw error;
    }
  }

  private pass(final: boolean): void {
    this.startPass(final);
    if (this.program) {
      for (const statement of this.program) this.execute(statement);
    } else this.readAndExecute();
    this.diagnostics.site = null;
  }

  private startPass(final: boolean): void {
    this.final = final;
    this.symbols.startPass();
    this.passing.clear();
    this.bits = 16;
    this.parent = '';
    this.originSet = false;
    this.origin = 0;
    this.emitted = 0;
    this.emissions.length = 0;
    this.zeroingWarned = false;
    for (const section of this.sections) {
      section.size = 0;
      section.fixups.length = 0;
      section.follows = section.virtualFollows = null;
      section.start = section.virtualStart = null;
    }
    this.enterSection('.text', null);
  }

  private readAndExecute(): void {
    this.parsing.clear();
    this.active = this.parsing;
    const { limits, includePaths, defines } = this.options;
    const preprocessor = new Preprocessor(
      this.main,
      this.resolve,
      this.parsing,
      { symbol: (name) => this.symbol(name), scope: this.critical },
      limits,
      this.cache,
      includePaths,
      defines,
      () => this.bits,
      this.final ? 2 : 1,
    );
    const statements: Statement[] = [];
    this.visited = preprocessor.visited;
    for (let line = preprocessor.next(); line; line = preprocessor.next()) {
      this.active = this.parsing;
      this.parsing.site = line.site;
      const statement = parseStatement(line, this, this.parsing);
      statements.push(statement);
      this.execute(statement);
      this.active = this.parsing;
    }
    if (!preprocessor.dependsOnLocation) this.program = statements;
  }

  private execute(statement: Statement): void {
    this.active = this.passing;
    this.passing.site = statement.site;
    const { label, body } = statement;
    if (body?.type === 'equ') {
      const value = evaluate(body.value, this);
      if (label) this.define(label.symbol, value.hasRegisters ? UNKNOWN : value, label.place);
      return;
    }
    if (label) this.define(label.symbol, this.here(), label.place);
    if (!body) return;
    let times = 1;
    if (statement.times) {
      const value = evaluate(statement.times, this.critical);
      if (value.unknown) return;
      if (!value.isScalar)
        return this.diagnostics.error(statement.times.place, '`times` needs a plain number, not an address');
      if (value.n < 0) {
        return this.diagnostics.error(
          statement.times.place,
          `\`times\` cannot repeat ${value.n} times`,
          'the code before it is already longer than the place it should fill',
        );
      }
      times = Number(value.n);
    }
    switch (body.type) {
      case 'directive':
        runDirective(this, body);
        return;
      case 'reserve':
        return this.reserve(statement, body, times);
      case 'data':
        return this.data(statement, body, times);
      case 'instruction':
        return this.instruction(statement, body, times);
    }
  }

  // --- What statements do -------------------------------------------------------------------------------------

  private instruction(statement: Statement, body: InstructionBody, times: number): void {
    if (body.settled) {
      this.code.set(body.settled);
      this.emit(statement, times);
      return;
    }
    if (body.name === '') {
      this.prefixesAlone(statement, body, times);
      return;
    }
    if (!body.candidates) {
      body.candidates = candidates(body, this.bits);
      body.relative = body.candidates.some((c) => c.form.operands.some((k) => k === 'rel8' || k === 'relv'));
    }
    this.complained = false;
    const operands = evaluateOperands(body, this);
    if (!operands) return;
    // Only a relative branch is different at every place.
    const rounds = body.relative ? times : Math.min(times, 1);
    for (let i = 0; i < rounds; i++) {
      const chosen = choose(body.candidates, body, operands, this);
      if (!chosen) {
        if (this.final) explain(body, this.bits, this.diagnostics);
        return;
      }
      this.code.clear();
      encode(chosen, body, operands, this, this.code);
      this.emit(statement, body.relative ? 1 : times);
    }
    if (
      rounds > 0 &&
      !body.relative &&
      !this.complained &&
      this.code.fixups.length === 0 &&
      body.operands.every(isFixed)
    )
      body.settled = this.code.bytes.slice(0, this.code.length);
  }

  /** `rep` on a line of its own. */
  private prefixesAlone(statement: Statement, body: InstructionBody, times: number): void {
    this.code.clear();
    writePrefixes(body, null, this, this.code);
    for (const { prefix } of body.prefixes) {
      if (prefix.slot === 'operand' && prefix.value !== this.bits) this.code.byte(0x66);
      if (prefix.slot === 'address' && prefix.value !== this.bits) this.code.byte(0x67);
    }
    this.emit(statement, times);
  }

  private data(statement: Statement, body: DataBody, times: number): void {
    // `$` is the start of the line for every item, even the repeated ones: the values are computed once.
    const values = body.items.map((item) => ('expr' in item ? evaluate(item.expr, this) : null));
    const alone = body.items.length === 1 && values[0] !== null;
    const rounds = body.items.length === 0 ? 0 : alone ? Math.min(times, 1) : times;
    for (let i = 0; i < rounds; i++) {
      body.items.forEach((item, k) => {
        if ('bytes' in item) this.emitBytes(statement, item.bytes);
        else {
          this.code.clear();
          writeValue(values[k]!, body.unit, item.expr.place, this, this.code);
          this.emit(statement, alone ? times : 1);
        }
      });
    }
  }

  private reserve(statement: Statement, body: ReserveBody, times: number): void {
    const count = evaluate(body.count, this.critical);
    if (count.unknown) return;
    if (!count.isScalar || count.n < 0) {
      const what = count.isScalar ? `${count.n} units` : 'an address';
      return this.diagnostics.error(body.count.place, `cannot reserve ${what}`);
    }
    const length = Number(count.n) * body.unit * times;
    const { section } = this;
    if (!section) {
      this.note(statement, length);
      this.absoluteOffset += length;
      return;
    }
    if (!section.nobits) {
      this.limit(length, body.place, section.size + length);
      if (
        !this.zeroingWarned &&
        statement.place.line.file !== PRELUDE_NAME &&
        body.place.line.file !== PRELUDE_NAME
      ) {
        this.warn(body.place, `\`${section.name}\` holds bytes: the reserved space is filled with zeros`);
        this.zeroingWarned = true;
      }
      if (this.final) {
        section.reserve(length);
        section.bytes.fill(0, section.size, section.size + length);
      }
    }
    this.note(statement, length);
    section.size += length;
  }

  /** Appends the bytes in `code`, `times` over. */
  private emit(statement: Statement, times: number): void {
    const { code } = this;
    const length = code.length * times;
    if (!this.writable(statement, length)) return;
    const section = this.section!;
    if (this.final) {
      section.reserve(length);
      for (let i = 0; i < times; i++) {
        const offset = section.size + i * code.length;
        section.bytes.set(code.bytes.subarray(0, code.length), offset);
        for (const fixup of code.fixups) section.addFixup(fixup, offset);
      }
      this.note(statement, length);
    }
    section.size += length;
  }

  private emitBytes(statement: Statement, bytes: readonly number[]): void {
    if (!this.writable(statement, bytes.length)) return;
    const section = this.section!;
    if (this.final) {
      section.reserve(bytes.length);
      section.bytes.set(bytes, section.size);
      this.note(statement, bytes.length);
    }
    section.size += bytes.length;
  }

  private writable(statement: Statement, length: number): boolean {
    const { section } = this;
    this.limit(1, statement.place, (section?.size ?? 0) + length);
    if (!section) {
      this.report(
        statement.place,
        'there is nothing to write to in absolute space',
        'only `resb` and labels stand here',
      );
      return false;
    }
    if (section.nobits) {
      const message = `\`${section.name}\` has no bytes, only reserved space: these are ignored`;
      if (length > 0) this.warn(statement.place, message, 'use `resb`, or another section');
      section.size += length;
      return false;
    }
    return true;
  }

  private limit(work: number, place: Place, size: number): void {
    this.emitted += Math.min(work, 1);
    const { outputBytes, emissions } = this.options.limits;
    if (size > outputBytes) this.active.error(place, `the image grows beyond ${outputBytes >> 20} MB`);
    else if (this.emitted > emissions)
      this.active.error(place, `more than ${emissions} instructions and data: stopped`);
    else return;
    throw new Abort();
  }

  private note(statement: Statement, length: number): void {
    if (!this.final) return;
    const { at } = statement;
    const offset = this.section ? this.section.size : this.absoluteOffset;
    const last = this.emissions[this.emissions.length - 1];
    if (
      last &&
      last.at === at &&
      last.section === this.section &&
      last.offset + last.length === offset &&
      !this.startsInstruction(statement)
    )
      this.emissions[this.emissions.length - 1] = { ...last, length: last.length + length };
    else this.emissions.push({ at, section: this.section, offset, length });
  }

  private startsInstruction(statement: Statement): boolean {
    return statement.body?.type === 'instruction';
  }

  // --- Position and names -------------------------------------------------------------------------------------

  get offset(): number {
    return this.section ? this.section.size : this.absoluteOffset;
  }

  here(): Value {
    const { section } = this;
    if (section) return new Value(section.size, [{ of: section, times: 1 }]);
    return sum(this.absolute, scalar(this.absoluteOffset));
  }

  sectionStart(): Value {
    return this.section ? new Value(0, [{ of: this.section, times: 1 }]) : this.absoluteStart;
  }

  setBits(bits: 16 | 32): void {
    this.bits = bits;
  }

  setOrigin(origin: number): boolean {
    if (this.originSet && this.origin !== origin) return false;
    this.originSet = true;
    this.origin = origin;
    return true;
  }

  enterSection(name: string, place: Place | null): Section {
    let section = this.sections.find((s) => s.name === name);
    if (!section) {
      section = new Section(name, this.sections.length * 4);
      this.sections.push(section);
    }
    section.place ??= place;
    this.section = section;
    return section;
  }

  enterAbsolute(start: Value): void {
    this.section = null;
    this.absolute = this.absoluteStart = start;
    this.absoluteOffset = 0;
  }

  symbol(name: string): NamedValue {
    const local = name[0] === '.' && name[1] !== '.';
    return this.symbols.get(local ? this.parent + name : name);
  }

  defining(name: string, remember: boolean): string {
    if (name[0] === '.' && name[1] !== '.') return name;
    if (remember && !name.startsWith('..')) this.parent = name;
    return name;
  }

  private define(symbol: NamedValue, value: Value, place: Place): void {
    if (!this.symbols.define(symbol, value, place)) {
      const first = symbol.definedAt;
      const where = first ? ` in ${first.line.file} line ${first.line.number}` : '';
      this.report(place, `the label \`${symbol.name}\` is already defined${where}`);
    }
  }

  lookup(symbol: NamedValue, place: Place): Value {
    if (symbol.pass > 0) {
      if (this.final && symbol.pass < this.symbols.pass - 1) this.undefined(symbol, place);
      return symbol.value;
    }
    const fact = this.fact(symbol.name);
    if (fact) return new Value(0, [{ of: fact, times: 1 }]);
    if (this.final) this.undefined(symbol, place);
    return UNKNOWN;
  }

  private lookupNow(symbol: NamedValue, place: Place): Value {
    if (symbol.pass === this.symbols.pass) return symbol.value;
    this.diagnostics.error(
      place,
      `\`${symbol.name}\` must be known here, and is defined only later or not at all`,
      this.suggestion(symbol.name),
    );
    return UNKNOWN;
  }

  private fact(name: string): SectionFact | null {
    const match = /^section\.(.+)\.(start|vstart)$/.exec(name);
    const section = match && this.sections.find((s) => s.name === match[1]);
    if (!match || !section) return null;
    let fact = this.facts.get(name);
    if (!fact) {
      const kind = match[2] as 'start' | 'vstart';
      fact = new SectionFact(section.rank + { start: 1, vstart: 2 }[kind], section, kind);
      this.facts.set(name, fact);
    }
    return fact;
  }

  private undefined(symbol: NamedValue, place: Place): void {
    this.passing.error(place, `the symbol \`${symbol.name}\` is not defined`, this.suggestion(symbol.name));
  }

  private suggestion(name: string): string | undefined {
    if (/^[\da-f]+h$/i.test(name)) return `a number begins with a digit: \`0${name}\``;
    const names = [...this.symbols.defined()].map((symbol) => symbol.name);
    const near = nearest(name, names) ?? nearestRegister(name);
    return near && `did you mean \`${near}\`?`;
  }

  report(place: Place, message: string, suggestion?: string): void {
    this.complained = true;
    if (this.final || this.active === this.parsing) this.active.error(place, message, suggestion);
  }

  warn(place: Place, message: string, suggestion?: string): void {
    this.complained = true;
    if (this.final) this.passing.warning(place, message, suggestion);
  }
}

function isFixed(operand: Operand): boolean {
  return (operand.expr?.fixed ?? true) && (operand.selector?.fixed ?? true);
}

// The passes: every statement is worth what the last pass knew of labels, until no label moves (NASM manual §3.7, §3.8).
// Early passes hope for the shortest encodings; the last one writes bytes and reports what is wrong.
import { advise } from './advice.ts';
import { emitData, reserveSpace } from './data.ts';
import { Diagnostics, nearest, type Place, type Suggestion } from './diagnostics.ts';
import { runDirective } from './directives.ts';
import { Code } from './encode/code.ts';
import { choose, encode, evaluateOperands, type Position, writePrefixes } from './encode/encode.ts';
import { candidates, factsOf } from './encode/match.ts';
import { explain } from './explain.ts';
import { type Expr, evaluate, type Scope } from './expression.ts';
import { Abort, type Limits } from './limits.ts';
import { nearestRegister } from './operand-parser.ts';
import { Output } from './output.ts';
import { type Labels, parseStatement } from './parser.ts';
import type { AssemblyState } from './preprocessor/environment.ts';
import type { SourceFiles } from './preprocessor/files.ts';
import { Preprocessor } from './preprocessor/preprocessor.ts';
import type { Section } from './sections.ts';
import type { SourceLine } from './source.ts';
import type { CheckBody, InstructionBody, Operand, Statement } from './statement.ts';
import { type NamedValue, SymbolTable } from './symbols.ts';
import { equal, UNKNOWN, Value, ZERO } from './value.ts';

/** An answer the preprocessor got is no longer true: the source must be read again. */
class Stale extends Error {}

export class Assembler implements Labels, Position, AssemblyState {
  /** Of the last reading of the source. */
  readonly parsing: Diagnostics;
  /** Of the last pass. */
  readonly passing: Diagnostics;
  readonly symbols = new SymbolTable();
  readonly output: Output;
  /** Where a value must be known at once: `times`, `org`, `%if`. */
  readonly scope: Scope;
  /** What expressions ask in the course of a pass: unknown symbols may turn up later. */
  readonly evaluator: Scope;
  /** As `scope`, for questions that were reported when they were first asked. */
  private readonly silent: Scope;
  visited: readonly SourceLine[] = [];
  origin = 0;
  bits: 16 | 32 = 16;

  private originSet = false;
  /** The label that local labels belong to. */
  private parent = '';
  /** The parsed source; null: to be read. */
  private program: Statement[] | null = null;
  private reading: Statement[] = [];
  private work = 0;
  /** Questions that could not be answered at once. */
  private failures = 0;
  private active: Diagnostics;
  private readonly code = new Code();
  /** Something was reported, or would have been in the last pass. */
  private complained = false;

  constructor(
    private readonly files: SourceFiles,
    private readonly defines: Readonly<Record<string, string>>,
    private readonly limits: Limits,
  ) {
    this.parsing = new Diagnostics(limits.diagnostics);
    this.passing = new Diagnostics(limits.diagnostics);
    this.active = this.parsing;
    this.output = new Output(limits, this.passing);
    this.evaluator = {
      lookup: (symbol, place) => this.lookup(symbol, place),
      here: () => this.here(),
      sectionStart: () => this.sectionStart(),
      report: (place, message, suggestion) => this.report(place, message, suggestion),
    };
    this.silent = {
      lookup: (symbol) => {
        if (symbol.pass === this.symbols.pass) return symbol.value;
        this.failures++;
        return UNKNOWN;
      },
      here: () => this.here(),
      sectionStart: () => this.sectionStart(),
      report: () => {
        this.failures++;
      },
    };
    this.scope = {
      lookup: (symbol, place) => this.lookupNow(symbol, place),
      here: () => this.here(),
      sectionStart: () => this.sectionStart(),
      report: (place, message, suggestion) => {
        this.failures++;
        this.diagnostics.error(place, message, suggestion);
      },
    };
  }

  /** Where reports go: of the reading, or of the pass. */
  get diagnostics(): Diagnostics {
    return this.active;
  }

  // --- Passes -------------------------------------------------------------------------------------------------

  /** Runs all passes. False when the work was cut short; the reason has been reported. */
  run(): boolean {
    try {
      let settled = false;
      for (let pass = 1; pass <= this.limits.passes; pass++) {
        const fresh = this.pass(settled);
        if (settled && !fresh) return true;
        settled = !fresh && this.symbols.changes === 0;
      }
      this.parsing.error(
        this.start,
        `the labels still move after ${this.limits.passes} passes: this program has no fixed size`,
      );
      return false;
    } catch (error) {
      if (error instanceof Abort) return false;
      if (!(error instanceof RangeError)) throw error;
      // The engine's stack or memory gave out before any of our limits did.
      this.parsing.error(this.start, 'this program is nested too deeply, or too large, to be assembled');
      return false;
    }
  }

  private get start(): Place {
    return { line: { file: this.files.main, number: 1, text: '' }, start: 0, end: 1 };
  }

  /** One pass over the program. True when the source was read (again), so that nothing is settled yet. */
  private pass(final: boolean): boolean {
    this.startPass(final);
    if (this.program) {
      try {
        for (const statement of this.program) this.execute(statement);
        return false;
      } catch (error) {
        if (!(error instanceof Stale)) throw error;
        this.program = null;
        this.startPass(false, true);
      }
    }
    this.read();
    return true;
  }

  private startPass(final: boolean, again = false): void {
    this.symbols.startPass(again);
    this.passing.clear();
    this.bits = 16;
    this.parent = '';
    this.originSet = false;
    this.origin = 0;
    this.output.startPass(final);
  }

  private read(): void {
    this.parsing.clear();
    this.active = this.parsing;
    this.reading = [];
    const preprocessor = new Preprocessor(this.files, this.defines, this.parsing, this, this.limits);
    this.visited = preprocessor.visited;
    for (let line = preprocessor.next(); line; line = preprocessor.next()) {
      this.parsing.site = line.site;
      const statement = parseStatement(line, this, this.parsing);
      this.reading.push(statement);
      this.execute(statement);
      this.active = this.parsing;
    }
    this.parsing.site = null;
    this.program = this.reading;
  }

  asked(tree: Expr, expected: Value): void {
    const { place } = tree;
    const body: CheckBody = { type: 'check', tree, expected };
    this.reading.push({ at: place.line, site: this.parsing.site, place, label: null, times: null, body });
  }

  private execute(statement: Statement): void {
    this.active = this.passing;
    this.passing.site = statement.site;
    const { label, body } = statement;
    if (++this.work > this.limits.work) {
      this.passing.error(statement.place, 'this program takes too much work to settle: stopped');
      throw new Abort();
    }
    if (body?.type === 'equ') {
      const value = evaluate(body.value, this);
      // What is not known yet counts as 0 until the next pass.
      if (label) this.define(label.symbol, value.unknown ? ZERO : value, label.place);
      return;
    }
    if (label) this.define(label.symbol, this.here(), label.place);
    if (!body) return;
    const times = statement.times ? this.count(statement.times) : 1;
    switch (body.type) {
      case 'check':
        if (!equal(this.known(body.tree, this.silent), body.expected)) throw new Stale();
        break;
      case 'directive':
        runDirective(this, body);
        break;
      case 'reserve':
        reserveSpace(this, statement, body, times);
        break;
      case 'data':
        if (this.inSection(statement)) emitData(this, statement, body, times);
        break;
      case 'instruction':
        this.instruction(statement, body, times);
        break;
    }
  }

  // --- What statements do -------------------------------------------------------------------------------------

  /** A value that must be known now; UNKNOWN, after a report, when any part of it is not. */
  known(tree: Expr, scope: Scope = this.scope): Value {
    const before = this.failures;
    const value = evaluate(tree, scope);
    return this.failures === before ? value : UNKNOWN;
  }

  /** The value of `times`, 0 after a report. */
  private count(times: Expr): number {
    const value = this.known(times);
    if (value.unknown) return 0;
    if (!value.isScalar) this.diagnostics.error(times.place, '`times` needs a plain number, not an address');
    else if (value.n < 0) {
      const advice = 'the code before it is already longer than the place it should fill';
      this.diagnostics.error(times.place, `\`times\` cannot repeat ${value.n} times`, advice);
    } else return Number(value.n);
    return 0;
  }

  private instruction(statement: Statement, body: InstructionBody, times: number): void {
    if (!this.inSection(statement)) return;
    if (body.settled) {
      this.code.set(body.settled);
      this.output.emit(statement, this.code, times);
      return;
    }
    if (body.name === '') {
      this.prefixesAlone(statement, body, times);
      return;
    }
    if (!body.candidates) {
      body.candidates = candidates(body, this.bits);
      body.relative = body.candidates.some((c) => factsOf(c.form).relative);
    }
    this.complained = false;
    const before = this.passing.errors;
    const operands = evaluateOperands(body, this);
    if (!operands) return;
    // Only a relative branch is different at every place.
    const rounds = body.relative ? times : 1;
    for (let i = 0; i < rounds; i++) {
      const chosen = choose(body.candidates, body, operands, this);
      if (!chosen) {
        this.complained = true;
        // One reason is enough: an unknown symbol has been reported already.
        if (this.output.final && this.passing.errors === before) explain(body, this.bits, this.passing);
        return;
      }
      this.code.clear();
      encode(chosen, body, operands, this, this.code);
      advise(chosen, body, this);
      this.output.emit(statement, this.code, body.relative ? 1 : times);
    }
    if (body.relative || this.complained || !body.operands.every(isFixed)) return;
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
    this.output.emit(statement, this.code, times);
  }

  /** False, after a report, where bytes cannot be written. */
  private inSection(statement: Statement): boolean {
    const { section } = this;
    if (section && !section.nobits) return true;
    if (section) {
      const message = `\`${section.name}\` has no bytes, only reserved space: these are ignored`;
      this.warn(statement.place, message, 'use `resb`, or another section');
      return true;
    }
    const message = 'there is nothing to write to in absolute space';
    this.report(statement.place, message, 'only `resb` and labels stand here');
    return false;
  }

  // --- Position and names -------------------------------------------------------------------------------------

  get section(): Section | null {
    return this.output.section;
  }

  get offset(): number {
    return this.output.offset;
  }

  here(): Value {
    return this.output.here();
  }

  sectionStart(): Value {
    return this.output.sectionStart();
  }

  /** False when another origin was set before. */
  setOrigin(origin: number): boolean {
    if (this.originSet && this.origin !== origin) return false;
    this.originSet = true;
    this.origin = origin;
    return true;
  }

  symbol(name: string): NamedValue {
    return this.symbols.get(isLocal(name) ? this.parent + name : name);
  }

  defining(name: string, remember: boolean): void {
    if (remember && !isLocal(name) && !name.startsWith('..')) this.parent = name;
  }

  private define(symbol: NamedValue, value: Value, place: Place): void {
    if (this.symbols.define(symbol, value, place)) return;
    const first = symbol.definedAt;
    const where = first ? ` in ${first.line.file} line ${first.line.number}` : '';
    this.report(place, `the label \`${symbol.name}\` is already defined${where}`);
  }

  lookup(symbol: NamedValue, place: Place): Value {
    if (symbol.pass > 0 && symbol.pass >= this.symbols.previous) return symbol.value;
    const fact = this.output.fact(symbol.name);
    if (fact) return new Value(0, [{ of: fact, times: 1 }]);
    this.report(place, `the symbol \`${symbol.name}\` is not defined`, () => this.suggestion(symbol.name));
    return UNKNOWN;
  }

  private lookupNow(symbol: NamedValue, place: Place): Value {
    if (symbol.pass === this.symbols.pass) return symbol.value;
    this.failures++;
    const message = `\`${symbol.name}\` must be known here, and is defined only later or not at all`;
    this.diagnostics.error(place, message, () => this.suggestion(symbol.name));
    return UNKNOWN;
  }

  private suggestion(name: string): string | undefined {
    if (/^[\da-f]+h$/i.test(name)) return `a number begins with a digit: \`0${name}\``;
    const near = nearest(name, this.symbols.names()) ?? nearestRegister(name);
    return near && `did you mean \`${near}\`?`;
  }

  report(place: Place, message: string, suggestion?: Suggestion): void {
    this.complained = true;
    if (this.output.final || this.active === this.parsing) this.active.error(place, message, suggestion);
  }

  warn(place: Place, message: string, suggestion?: Suggestion): void {
    this.complained = true;
    if (this.output.final) this.passing.warning(place, message, suggestion);
  }
}

/** `.name`, but not `..@name`. */
const isLocal = (name: string): boolean => name[0] === '.' && name[1] !== '.';

function isFixed(operand: Operand): boolean {
  return (operand.expr?.fixed ?? true) && (operand.selector?.fixed ?? true);
}

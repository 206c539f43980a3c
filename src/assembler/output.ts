// Where the assembly has got to, and what it has written: sections, absolute space, bytes, and which line made them.
import type { Diagnostics, Place } from './diagnostics.ts';
import type { Code } from './encode/code.ts';
import { Abort, type Limits } from './limits.ts';
import { Section, SectionFact } from './sections.ts';
import type { SourceLine } from './source.ts';
import type { Statement } from './statement.ts';
import { scalar, sum, UNKNOWN, Value } from './value.ts';

/** Bytes that one statement emitted, for the line map and the listing. */
export interface Emission {
  readonly at: SourceLine;
  /** null: absolute space. */
  readonly section: Section | null;
  readonly offset: number;
  readonly length: number;
}

export class Output {
  readonly sections: Section[] = [];
  readonly emissions: Emission[] = [];
  /** null in absolute space. */
  section: Section | null = null;
  /** The last pass: bytes are kept. */
  final = false;
  private readonly byName = new Map<string, Section>();
  private readonly facts = new Map<string, SectionFact>();
  private absolute = UNKNOWN;
  private absoluteOffset = 0;
  /** In all passes. */
  private emitted = 0;
  /** Bytes in this pass. */
  private total = 0;

  constructor(
    private readonly limits: Limits,
    private readonly diagnostics: Diagnostics,
  ) {}

  startPass(final: boolean): void {
    this.final = final;
    this.total = 0;
    this.emissions.length = 0;
    for (const section of this.sections) section.startPass();
    this.enterSection('.text', null);
  }

  get offset(): number {
    return this.section ? this.section.size : this.absoluteOffset;
  }

  /** `$`. */
  here(): Value {
    const { section } = this;
    if (section) return new Value(section.size, [{ of: section, times: 1 }]);
    return sum(this.absolute, scalar(this.absoluteOffset));
  }

  /** `$$`. */
  sectionStart(): Value {
    return this.section ? new Value(0, [{ of: this.section, times: 1 }]) : this.absolute;
  }

  /** Continues or begins a section. */
  enterSection(name: string, place: Place | null): Section {
    let section = this.byName.get(name);
    if (!section) {
      if (place && this.sections.length >= this.limits.sections) {
        this.diagnostics.error(place, `more than ${this.limits.sections} sections`);
        throw new Abort();
      }
      section = new Section(name, this.sections.length * 4);
      this.sections.push(section);
      this.byName.set(name, section);
    }
    section.place ??= place;
    this.section = section;
    return section;
  }

  enterAbsolute(start: Value): void {
    this.section = null;
    this.absolute = start;
    this.absoluteOffset = 0;
  }

  /** `section.NAME.start` or `.vstart`, or null when the name is neither. */
  fact(name: string): SectionFact | null {
    const known = this.facts.get(name);
    if (known) return known;
    const match = /^section\.(.+)\.(v?start)$/.exec(name);
    const section = match && this.byName.get(match[1]);
    if (!match || !section) return null;
    const virtual = match[2] === 'vstart';
    const fact = new SectionFact(section.rank + (virtual ? 2 : 1), section, virtual);
    this.facts.set(name, fact);
    return fact;
  }

  /** Appends the bytes in `code`, `times` over. */
  emit(statement: Statement, code: Code, times: number): void {
    const { section } = this;
    const length = code.length * times;
    if (!section || !this.prepare(section, statement, length)) return;
    for (let i = 0; i < times; i++) {
      const offset = section.size + i * code.length;
      for (let k = 0; k < code.length; k++) section.bytes[offset + k] = code.bytes[k];
      for (const fixup of code.fixups) section.addFixup(fixup, offset);
    }
    this.advance(statement, length);
  }

  emitBytes(statement: Statement, bytes: readonly number[]): void {
    const { section } = this;
    if (!section || !this.prepare(section, statement, bytes.length)) return;
    section.bytes.set(bytes, section.size);
    this.advance(statement, bytes.length);
  }

  /** Makes room without writing: `resb`. */
  reserve(statement: Statement, length: number): void {
    const { section } = this;
    if (section && !section.nobits && this.prepare(section, statement, length))
      section.bytes.fill(0, section.size, section.size + length);
    else if (section && !section.nobits) return;
    this.advance(statement, length);
  }

  /** Checks the limits; in the last pass makes room and says true, else only counts. */
  private prepare(section: Section, statement: Statement, length: number): boolean {
    const { outputBytes, emissions } = this.limits;
    const place = statement.place;
    this.total += length;
    if (this.total > outputBytes)
      this.diagnostics.error(place, `the image grows beyond ${outputBytes >> 20} MB`);
    else if (++this.emitted > emissions)
      this.diagnostics.error(place, `more than ${emissions} instructions and data in all passes: stopped`);
    else {
      if (this.final) section.reserve(length);
      else section.size += length;
      return this.final;
    }
    throw new Abort();
  }

  private advance(statement: Statement, length: number): void {
    const { section } = this;
    if (this.final && length > 0) this.note(statement, length);
    if (section) section.size += length;
    else this.absoluteOffset += length;
  }

  /** Remembers which line made these bytes; data that continues a line joins what the line made before. */
  private note(statement: Statement, length: number): void {
    const { at, body } = statement;
    const { section, offset } = this;
    const last = this.emissions[this.emissions.length - 1];
    const joins = last && last.at === at && last.section === section && last.offset + last.length === offset;
    if (joins && body?.type !== 'instruction')
      this.emissions[this.emissions.length - 1] = {
        at,
        section,
        offset: last.offset,
        length: last.length + length,
      };
    else this.emissions.push({ at, section, offset, length });
  }
}

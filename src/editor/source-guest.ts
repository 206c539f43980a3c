// One guest with source, as the room knows it: its work, its texts as Monaco models, the last assembly, and what the
// machine says about its lines.
import type { DomainFrame } from '../worker/protocol.ts';
import type { AssembleResult } from './assembly-messages.ts';
import type { GuestWork } from './guest-work.ts';
import { MINE } from './guest-work.ts';
import type { HeatEntry } from './heat.ts';
import { shortCount } from './heat.ts';
import { LANGUAGE } from './language.ts';
import { LineMapping } from './line-diff.ts';
import { monaco, plainBrackets } from './monaco.ts';
import { ProgramOutline } from './outline.ts';
import { markersOf, type Problem, problemsOf } from './problems.ts';
import { tellAbout } from './providers.ts';

type Model = monaco.editor.ITextModel;

/** Where the virtual processor is, in the source that was booted. */
export interface NowLine {
  readonly file: string;
  readonly line: number;
  readonly place: DomainFrame['now']['place'];
}

/** Lines to look below for code. */
const CODE_NEAR = 20;

let generations = 0;

export class SourceGuest {
  version: string = MINE;
  file: string;
  problems: readonly Problem[] = [];
  /** Values of names in the last assembly without errors, and the size of its image. */
  symbols: ReadonlyMap<string, number> = new Map();
  size = 0;
  /** Lines with code in the text as it is now, by file; null while that is not known. */
  private codeLines: AssembleResult['codeLines'] | null = null;
  /** Null until the first assembly. */
  assembled: 'good' | 'bad' | null = null;
  heat: readonly HeatEntry[] = [];
  now: NowLine | null = null;
  readonly outline = new ProgramOutline();
  private readonly models = new Map<string, Model>();
  private readonly mappings = new WeakMap<Model, { booted: string; version: number; mapping: LineMapping }>();
  private readonly generation = ++generations;

  /** @param onEdit after a change by the learner */
  constructor(
    readonly domain: number,
    readonly work: GuestWork,
    private readonly onEdit: (file: string) => void,
  ) {
    this.file = work.main;
  }

  /** The model of a file in a version; undefined when there is no such file. */
  model(version: string, file: string): Model | undefined {
    const key = `${version}\0${file}`;
    const known = this.models.get(key);
    if (known) return known;
    const text = this.work.text(version, file);
    if (text === undefined) return undefined;
    const uri = monaco.Uri.from({ scheme: 'ringside', path: `/${this.generation}/${version}/${file}` });
    const model = monaco.editor.createModel(text, LANGUAGE, uri);
    plainBrackets(model);
    this.models.set(key, model);
    if (version === MINE) {
      model.onDidChangeContent(() => {
        this.work.edit(file, model.getValue(monaco.editor.EndOfLinePreference.LF));
        this.codeLines = null;
        this.onEdit(file);
      });
    }
    this.tell(model, version, file);
    this.mark(model, version, file);
    return model;
  }

  /** Models that are open, with what they show. */
  *open(): Iterable<{ model: Model; version: string; file: string }> {
    for (const [key, model] of this.models) {
      const [version, file] = key.split('\0');
      yield { model, version, file };
    }
  }

  /** Brings the learner's models to what the work says, as an edit that can be undone. */
  refresh(): void {
    for (const { model, version, file } of this.open()) {
      const text = this.work.text(version, file) ?? '';
      if (version !== MINE || model.getValue() === text) continue;
      model.pushStackElement();
      model.pushEditOperations([], [{ range: model.getFullModelRange(), text }], () => null);
      model.pushStackElement();
    }
  }

  /** Takes the result of an assembly of `version`. */
  take(result: AssembleResult): void {
    this.assembled = result.diagnostics.some(({ severity }) => severity === 'error') ? 'bad' : 'good';
    if (this.assembled === 'good') {
      this.symbols = result.symbols;
      this.size = result.size;
      this.codeLines = result.codeLines;
    }
    this.setProblems(problemsOf(result.diagnostics));
  }

  /** The line itself, or the next one that has code, near below it; null when there is none. */
  codeLine(file: string, line: number): number | null {
    if (!this.codeLines) return line;
    const next = this.codeLines.get(file)?.find((candidate) => candidate >= line);
    return next !== undefined && next - line <= CODE_NEAR ? next : null;
  }

  /** False when a line is known to have no code. */
  mayHaveCode(file: string, line: number): boolean {
    return this.codeLines?.get(file)?.includes(line) ?? true;
  }

  setProblems(problems: readonly Problem[]): void {
    this.problems = problems;
    for (const { model, version, file } of this.open()) this.mark(model, version, file);
  }

  /** Lines of the booted text against those of a model; null when the file has no part in what runs. */
  mapping(model: Model, file: string): LineMapping | null {
    const booted = this.work.bootedText(file);
    if (booted === undefined) return null;
    const version = model.getVersionId();
    const known = this.mappings.get(model);
    if (known && known.version === version && known.booted === booted) return known.mapping;
    const mapping = new LineMapping(booted, model.getValue(monaco.editor.EndOfLinePreference.LF));
    this.mappings.set(model, { booted, version, mapping });
    return mapping;
  }

  dispose(): void {
    for (const model of this.models.values()) model.dispose();
    this.models.clear();
  }

  private mark(model: Model, version: string, file: string): void {
    const shown = version === this.version ? this.problems : [];
    const length = (line: number) =>
      line >= 1 && line <= model.getLineCount() ? model.getLineLength(line) : undefined;
    monaco.editor.setModelMarkers(model, 'assembler', markersOf(shown, file, length));
  }

  private tell(model: Model, version: string, file: string): void {
    const files = () => this.work.program(version).files;
    tellAbout(model, {
      definitions: () => this.outline.all(files()),
      find: (name, line) => this.outline.find(name, file, line, files()),
      parentAt: (line) => this.outline.parentAt(this.outline.of(file, model.getValue()), file, line),
      value: (name) => this.symbols.get(name),
      problems: () => this.problems,
      about: (line) => {
        const booted = this.mapping(model, file)?.from(line);
        const entry = this.heat.find((e) => e.file === file && e.line === booted);
        return entry
          ? `${shortCount(entry.count)} ${entry.count === 1 ? 'exit' : 'exits'} from this line since boot`
          : null;
      },
    });
  }
}

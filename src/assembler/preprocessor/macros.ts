// What the preprocessor remembers: single-line macros (%define), multi-line macros (%macro), contexts (%push).
// NASM manual §4.1, §4.3, §4.8.
import type { LogicalLine, SourceLine } from '../source.ts';
import type { Token } from '../token.ts';

export interface Parameter {
  readonly name: string;
  /** `=x`: the argument is evaluated before it is substituted. */
  readonly evaluated: boolean;
  /** `&x`: the argument is quoted. */
  readonly quoted: boolean;
}

/** One `%define`. */
export class SingleMacro {
  /** Being expanded: not expanded again inside itself. */
  busy = false;
  /** For each token of the body: the number of the parameter it names, or -1. */
  readonly slots: readonly number[] | null;
  constructor(
    readonly name: string,
    /** null: used without parentheses. */
    readonly parameters: readonly Parameter[] | null,
    /** The last parameter takes the rest, commas included. */
    readonly greedy: boolean,
    readonly body: readonly Token[],
    /** Computed at each use instead: `__LINE__`. */
    readonly dynamic: ((use: Token) => Token[]) | null = null,
  ) {
    const numbers = parameters && new Map(parameters.map((parameter, i) => [parameter.name, i]));
    this.slots = numbers && body.map((token) => numbers.get(token.text) ?? -1);
  }

  accepts(count: number): boolean {
    return this.parameters?.length === count;
  }
}

/** All single-line macros; a name may have several, told apart by their number of parameters. */
export class SingleMacros {
  private readonly exact = new Map<string, SingleMacro[]>();
  private readonly folded = new Map<string, SingleMacro[]>();

  find(name: string): readonly SingleMacro[] | undefined {
    return this.exact.get(name) ?? (this.folded.size > 0 ? this.folded.get(name.toLowerCase()) : undefined);
  }

  define(macro: SingleMacro, ignoreCase: boolean): void {
    if (!ignoreCase && this.folded.size > 0) {
      // A case-insensitive namesake would otherwise stay visible under other spellings, as it does in NASM.
      const namesake = this.folded.get(macro.name.toLowerCase());
      if (namesake && sameArity(namesake[0], macro)) this.folded.delete(macro.name.toLowerCase());
    }
    const table = ignoreCase ? this.folded : this.exact;
    const key = ignoreCase ? macro.name.toLowerCase() : macro.name;
    const list = table.get(key);
    if (!list || macro.parameters === null || list[0].parameters === null) {
      table.set(key, [macro]);
      return;
    }
    const at = list.findIndex((other) => sameArity(other, macro));
    if (at >= 0) list[at] = macro;
    else list.push(macro);
  }

  undefine(name: string): void {
    this.exact.delete(name);
    this.folded.delete(name.toLowerCase());
  }

  clear(): void {
    this.exact.clear();
    this.folded.clear();
  }

  *names(): Iterable<string> {
    yield* this.exact.keys();
    yield* this.folded.keys();
  }
}

function sameArity(a: SingleMacro, b: SingleMacro): boolean {
  return a.parameters?.length === b.parameters?.length;
}

/** One `%macro`. */
export interface MultiMacro {
  readonly name: string;
  readonly ignoreCase: boolean;
  readonly minimum: number;
  /** Infinity for `*`. */
  readonly maximum: number;
  /** `+`: the last parameter takes the rest of the line. */
  readonly greedy: boolean;
  /** Values of parameters `minimum + 1` and on. */
  readonly defaults: readonly (readonly Token[])[];
  readonly body: readonly LogicalLine[];
  /** `%rmacro`: may call itself. */
  readonly recursive: boolean;
  /** The body uses `%00`, so the label before the call is not defined by the call itself. */
  readonly usesLabel: boolean;
  readonly at: SourceLine;
  /** Expansions now under way. */
  depth: number;
}

export class MultiMacros {
  private readonly byName = new Map<string, MultiMacro[]>();

  /** Macros of that name, latest first. */
  find(name: string): readonly MultiMacro[] | undefined {
    const list = this.byName.get(name.toLowerCase());
    const found = list?.filter((macro) => macro.ignoreCase || macro.name === name);
    return found && found.length > 0 ? found : undefined;
  }

  has(name: string): boolean {
    return this.byName.has(name.toLowerCase());
  }

  /** Adds a macro in front of its namesakes; false when one of them takes the same numbers of parameters. */
  define(macro: MultiMacro): boolean {
    const key = macro.name.toLowerCase();
    const list = this.byName.get(key) ?? [];
    const at = list.findIndex(
      (m) => m.name === macro.name && m.minimum === macro.minimum && m.maximum === macro.maximum,
    );
    if (at >= 0) list.splice(at, 1);
    list.unshift(macro);
    this.byName.set(key, list);
    return at < 0;
  }

  undefine(name: string, minimum: number, maximum: number): void {
    const key = name.toLowerCase();
    const list = this.byName.get(key)?.filter((m) => m.minimum !== minimum || m.maximum !== maximum);
    if (list && list.length > 0) this.byName.set(key, list);
    else this.byName.delete(key);
  }

  *names(): Iterable<string> {
    for (const list of this.byName.values()) yield list[0].name;
  }
}

/** One `%push`. */
export interface Context {
  name: string;
  /** Makes the names of its locals unique. */
  readonly id: number;
}

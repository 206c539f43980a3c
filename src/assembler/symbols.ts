// Labels and equates. A symbol keeps its value from pass to pass; passes end when none changes (NASM manual §3.8).
import type { Place } from './diagnostics.ts';
import { equal, UNKNOWN, type Value } from './value.ts';

export class NamedValue {
  /** From the latest definition; UNKNOWN before the first. */
  value: Value = UNKNOWN;
  /** The pass that defined it last; 0 = never. */
  pass = 0;
  definedAt: Place | null = null;
  constructor(readonly name: string) {}
}

export class SymbolTable {
  private readonly byName = new Map<string, NamedValue>();
  /** The pass now running, from 1. */
  pass = 0;
  /** The last pass that was not given up: a symbol that is older has disappeared. */
  previous = 0;
  /** Definitions in this pass that differ from the last pass. */
  changes = 0;

  get(name: string): NamedValue {
    let symbol = this.byName.get(name);
    if (!symbol) this.byName.set(name, (symbol = new NamedValue(name)));
    return symbol;
  }

  /** `again`: the pass that was under way is given up and begins anew. */
  startPass(again = false): void {
    if (!again) this.previous = this.pass;
    this.pass++;
    this.changes = 0;
  }

  /** Gives a symbol its value in this pass. False when it already has a different one in this pass. */
  define(symbol: NamedValue, value: Value, place: Place): boolean {
    const same = equal(symbol.value, value);
    if (symbol.pass === this.pass && !same) return false;
    if (symbol.pass !== this.pass) symbol.definedAt = place;
    if (!same) this.changes++;
    symbol.pass = this.pass;
    symbol.value = value;
    return true;
  }

  /** Names of what is defined, for suggestions. */
  *names(): Iterable<string> {
    for (const symbol of this.defined()) yield symbol.name;
  }

  *defined(): Iterable<NamedValue> {
    for (const symbol of this.byName.values()) if (symbol.pass > 0) yield symbol;
  }
}

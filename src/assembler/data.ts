// What db, dup and resb do in a pass (NASM manual §3.2.1–3.2.2).
import type { Assembler } from './assembler.ts';
import { Code } from './encode/code.ts';
import { writeValue } from './encode/encode.ts';
import { evaluate, type Scope } from './expression.ts';
import { PRELUDE_NAME } from './preprocessor/prelude.ts';
import type { DataBody, DataItem, ReserveBody, Statement } from './statement.ts';

const code = new Code();

/** Emits the items, `times` over. */
export function emitData(assembler: Assembler, statement: Statement, body: DataBody, times: number): void {
  // `$` is the start of the line for every item, even the repeated ones: it is taken once.
  const here = assembler.here();
  const scope: Scope = { ...assembler.evaluator, here: () => here };
  emitItems(assembler, statement, body.items, times, scope);
}

function emitItems(
  assembler: Assembler,
  statement: Statement,
  items: readonly DataItem[],
  times: number,
  scope: Scope,
): void {
  if (items.length === 1) emitItem(assembler, statement, items[0], times, scope);
  else
    for (let i = 0; i < times && items.length > 0; i++)
      for (const item of items) emitItem(assembler, statement, item, 1, scope);
}

function emitItem(
  assembler: Assembler,
  statement: Statement,
  item: DataItem,
  times: number,
  scope: Scope,
): void {
  if (item.type === 'value') {
    code.clear();
    writeValue(evaluate(item.expr, scope), item.size, item.expr.place, assembler, code);
    assembler.output.emit(statement, code, times);
  } else if (item.type === 'bytes') {
    for (let i = 0; i < times; i++) assembler.output.emitBytes(statement, item.bytes);
  } else {
    const count = assembler.known(item.count, { ...assembler.scope, here: scope.here });
    if (count.unknown) return;
    if (!count.isScalar || count.n < 0) {
      const message = '`dup` needs a plain number that is not negative';
      assembler.diagnostics.error(item.count.place, message);
      return;
    }
    emitItems(assembler, statement, item.items, Number(count.n) * times, scope);
  }
}

/** Reserves space; where bytes are kept it is filled with zeros, which is worth a warning once. */
export function reserveSpace(
  assembler: Assembler,
  statement: Statement,
  body: ReserveBody,
  times: number,
): void {
  const { section } = assembler;
  const count = assembler.known(body.count);
  if (count.unknown) return;
  if (!count.isScalar || count.n < 0) {
    const what = count.isScalar ? `${count.n} units` : 'an address';
    assembler.diagnostics.error(body.count.place, `cannot reserve ${what}`);
    return;
  }
  if (section && !section.nobits && !section.zeroingReported && body.place.line.file !== PRELUDE_NAME) {
    assembler.warn(body.place, `\`${section.name}\` holds bytes: the reserved space is filled with zeros`);
    section.zeroingReported = true;
  }
  assembler.output.reserve(statement, Number(count.n) * body.unit * times);
}

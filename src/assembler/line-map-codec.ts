// A line map as few bytes as possible: for guests that are assembled when the page is built, not when it is opened.
// Variable-length numbers (7 bits a byte), differences with their sign in bit 0.
import { LineMap, type LineSpan } from './line-map.ts';

/** Packs a line map. Neighbouring spans of one line become one. */
export function packLines(lines: LineMap): Uint8Array {
  const bytes: number[] = [];
  const put = (value: number) => {
    let rest = value;
    while (rest > 127) {
      bytes.push((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
  };
  const putSigned = (value: number) => put(value < 0 ? -value * 2 - 1 : value * 2);
  const files = [...new Set(lines.spans.map((span) => span.file))];
  put(files.length);
  for (const file of files) {
    put(file.length);
    for (const character of file) put(character.charCodeAt(0));
  }
  const spans = merged(lines.spans);
  put(spans.length);
  let before = { line: 0, address: 0, offset: 0, length: 0 };
  for (const span of spans) {
    put(files.indexOf(span.file));
    putSigned(span.line - before.line);
    putSigned(span.address - before.address - before.length);
    putSigned(span.offset - before.offset - before.length);
    put(span.length);
    before = span;
  }
  return Uint8Array.from(bytes);
}

function merged(spans: readonly LineSpan[]): LineSpan[] {
  const result: LineSpan[] = [];
  for (const span of spans) {
    const last = result.at(-1);
    const follows =
      last &&
      last.file === span.file &&
      last.line === span.line &&
      last.address + last.length === span.address &&
      (span.offset < 0 ? last.offset < 0 : last.offset + last.length === span.offset);
    if (follows) result[result.length - 1] = { ...last, length: last.length + span.length };
    else result.push(span);
  }
  return result;
}

/** Unpacks what `packLines` made. Throws RangeError when the bytes end early. */
export function unpackLines(bytes: Uint8Array): LineMap {
  let at = 0;
  const take = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length) throw new RangeError('the line map ends early');
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const takeSigned = () => {
    const value = take();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const files = Array.from({ length: take() }, () =>
    String.fromCharCode(...Array.from({ length: take() }, take)),
  );
  const spans: LineSpan[] = [];
  let before = { line: 0, address: 0, offset: 0, length: 0 };
  for (let left = take(); left > 0; left--) {
    const file = files[take()];
    const line = before.line + takeSigned();
    const address = before.address + before.length + takeSigned();
    const offset = before.offset + before.length + takeSigned();
    const span = { file, line, address, offset, length: take() };
    spans.push(span);
    before = span;
  }
  return new LineMap(() => spans);
}

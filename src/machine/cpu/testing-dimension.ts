// For second dimensions in tests: what an access needs, as the manuals have it, and not as nested-walk.ts puts it.
import { Allows } from './guest-physical.ts';
import { Access } from './nested-walk.ts';

/** `Allows` bits of `Access` bits: entries of tables are read, and may be written; a page is written, or read, or fetched from. */
export function neededBy(access: number): number {
  const write = access & Access.write ? Allows.write : 0;
  if (access & Access.table) return Allows.read | write;
  return access & Access.fetch ? Allows.fetch : write || Allows.read;
}

// From an address in a guest to the line of its source.
import type { Session } from './session.ts';

/** Source line of a guest address; null when the guest has no source to show. */
export function lineOf(session: Session, id: number, address: number): { file: string; line: number } | null {
  const { built } = session.domains[id];
  if (!built?.assembly || built.sealed) return null;
  const at = built.assembly.lines.at(address);
  return at && { file: at.file, line: at.line };
}

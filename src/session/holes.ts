// What ran silently wrong in a guest (Robin & Irvine 2000), instruction by instruction: how often, and of the last time where,
// what the guest got and what bare hardware would have given. Counted by the trace, named from the instruction table.
import { flagNames } from '../hypervisor/bit-names.ts';
import { FORMS } from '../machine/isa/table.ts';
import { vectorName } from '../trace/exits.ts';
import { hex8 } from '../trace/hex.ts';
import { lineOf } from './lines.ts';
import type { Session } from './session.ts';

export interface HoleRow {
  /** "POPF" */
  mnemonic: string;
  count: number;
  /** Of the last one. */
  address: number;
  line: { file: string; line: number } | null;
  got: string;
  expected: string;
  /** Flags that are wrong, where flags are the result: "IF". */
  flags: string;
}

/** The instructions that ran silently wrong in a domain since it was booted, most frequent first. */
export function holesOf(session: Session, domain: number): HoleRow[] {
  if (!session.domains[domain]) return [];
  return [...session.host.recorder.holeCounts(domain)]
    .map(([form, { count, eip, got, expected, raises }]) => {
      const mnemonic = FORMS[form]?.mnemonic ?? `${form}`;
      const flags = /^(PUSHF|POPF|IRET)/i.test(mnemonic) && !raises;
      return {
        mnemonic: mnemonic.toUpperCase(),
        count,
        address: eip,
        line: lineOf(session, domain, eip),
        got: hex8(got),
        expected: raises ? vectorName(expected) : hex8(expected),
        flags: flags ? flagNames(got ^ expected) : '',
      };
    })
    .sort((a, b) => b.count - a.count);
}

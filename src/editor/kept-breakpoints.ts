// Breakpoints that survive a reload: lines of the learner's own text, or addresses where there is no source. What comes
// out of storage is checked like anything that comes from outside.

export interface KeptBreakpoints {
  readonly lines: readonly { file: string; line: number }[];
  readonly addresses: readonly number[];
}

const MOST = 200;
const NONE: KeptBreakpoints = { lines: [], addresses: [] };

/** What of the browser's storage is used. */
type Keeper = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const keyOf = (scenario: string, domain: number, guest: string) =>
  `ringside.breakpoints:${scenario}:${domain}:${guest}`;

/** The breakpoints kept for a guest of a scenario; none when there are none, or no storage. */
export function readBreakpoints(
  storage: () => Keeper,
  scenario: string,
  domain: number,
  guest: string,
): KeptBreakpoints {
  try {
    return parse(JSON.parse(storage().getItem(keyOf(scenario, domain, guest)) ?? 'null'));
  } catch {
    return NONE;
  }
}

/** Keeps them; without storage they last as long as the page. */
export function keepBreakpoints(
  storage: () => Keeper,
  scenario: string,
  domain: number,
  guest: string,
  kept: Partial<KeptBreakpoints>,
): void {
  const key = keyOf(scenario, domain, guest);
  const value = { ...NONE, ...kept };
  try {
    if (value.lines.length + value.addresses.length === 0) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // No storage.
  }
}

function parse(value: unknown): KeptBreakpoints {
  const record = value as { lines?: unknown; addresses?: unknown } | null;
  const list = (part: unknown): unknown[] => (Array.isArray(part) ? part.slice(0, MOST) : []);
  const whole = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 0;
  return {
    lines: list(record?.lines).flatMap((entry) => {
      const { file, line } = (entry ?? {}) as { file?: unknown; line?: unknown };
      return typeof file === 'string' && whole(line) && line > 0 ? [{ file, line }] : [];
    }),
    addresses: list(record?.addresses).filter((n): n is number => whole(n) && n < 2 ** 32),
  };
}

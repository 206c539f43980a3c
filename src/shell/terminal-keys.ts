// Keys as the bytes that a terminal sends (ECMA-48, and DEC's VT100 for the cursor keys). Pure.

const NAMED: Readonly<Record<string, string>> = {
  Enter: '\r',
  Backspace: '\x7f',
  Tab: '\t',
  Escape: '\x1b',
  ArrowUp: '\x1b[A',
  ArrowDown: '\x1b[B',
  ArrowRight: '\x1b[C',
  ArrowLeft: '\x1b[D',
  Home: '\x1b[H',
  End: '\x1b[F',
  Delete: '\x1b[3~',
};

/** The bytes of a key press; empty for a key that a terminal keeps to itself. */
export function terminalKey(event: {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}): string {
  if (event.metaKey) return '';
  const named = NAMED[event.key];
  if (named) return event.ctrlKey || event.altKey ? '' : named;
  if ([...event.key].length !== 1) return '';
  // AltGr arrives as Ctrl and Alt together, with the character that it makes.
  if (event.ctrlKey && !event.altKey) {
    const code = event.key.toUpperCase().charCodeAt(0);
    return code >= 0x40 && code < 0x60 ? String.fromCharCode(code & 0x1f) : '';
  }
  return event.altKey && !event.ctrlKey ? `\x1b${event.key}` : event.key;
}

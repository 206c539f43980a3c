// Boot loaders and systems of Debian's packages, unmodified, from their own images, on the bare machine with our BIOS. Each is
// looked for where its package puts it (below RINGSIDE_PACKAGES, when that names a folder with unpacked packages) and skipped
// when it is not installed.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeLibrary } from '../../../cli/library.ts';
import { parseScenario } from '../../../session/scenario.ts';
import { Session } from '../../../session/session.ts';

const ROOT = process.env.RINGSIDE_PACKAGES ?? '/';
/** Package, image, what the screen must show, virtual seconds within which it does. */
const LOADERS: [string, string, RegExp, number][] = [
  ['grub-rescue-pc', 'usr/lib/grub-rescue/grub-rescue-floppy.img', /GNU GRUB {2}version 2/, 120],
  ['ipxe', 'usr/lib/ipxe/ipxe.iso', /ISOLINUX[^]*iPXE initialising devices\.\.\.ok[^]*Features:/, 60],
  ['memtest86+', 'usr/lib/memtest86+/memtest86+ia32.iso', /Status: Testing[^]*Errors: 0/, 30],
];

function screenText(session: Session): string {
  const screen = session.view(0)!.board!.screen();
  if (screen.mode !== 'text') return '';
  let text = '';
  for (let row = 0; row < screen.rows; row++) {
    for (let column = 0; column < screen.columns; column++)
      text += String.fromCharCode(screen.cells[(row * screen.columns + column) * 2] || 32);
    text += '\n';
  }
  return text;
}

/** The screen as soon as it shows `wanted`, or after so many virtual seconds. */
function boot(path: string, wanted: RegExp, seconds: number): string {
  const name = basename(path);
  const library = nodeLibrary(
    new Map([[name, { kind: 'image', name, bytes: new Uint8Array(readFileSync(path)) }]]),
  );
  const domain = { name, guest: name, technique: 'native', memoryMiB: 32 };
  const scenario = { name, title: name, processor: 'prescott', memoryMiB: 32, domains: [domain] };
  const session = new Session(parseScenario(scenario), library);
  session.bootAll();
  const { clockHz } = session.host.pc.cost;
  for (let second = 0; second < seconds; second++) {
    session.run(session.now + clockHz);
    if (wanted.test(screenText(session))) break;
  }
  return screenText(session);
}

describe('real loaders', () => {
  for (const [name, file, wanted, seconds] of LOADERS) {
    const path = join(ROOT, file);
    it.skipIf(!existsSync(path))(
      `${name} (skipped: /${file} is not installed)`.replace(existsSync(path) ? / \(.*/ : /^$/, ''),
      () => {
        expect(boot(path, wanted, seconds)).toMatch(wanted);
      },
      300_000,
    );
  }
});

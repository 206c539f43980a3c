// Segment rights and limits against the processor underneath: a C program (fixtures/segment-limits.c) makes LDT segments of
// every kind and tries each edge in ring 3; our checks must refuse exactly what the hardware refuses.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { segmentAllows } from './access.ts';
import { SegmentRegister } from './cpu.ts';
import { VECTOR } from './fault.ts';
import { Descriptor, setHidden } from './segmentation.ts';

/** Output of the C program; null where it cannot be built or run (no gcc -m32, not Linux on x86, no modify_ldt). */
function askHardware(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-'));
  try {
    const source = fileURLToPath(new URL('./fixtures/segment-limits.c', import.meta.url));
    execFileSync('gcc', ['-m32', '-O1', '-o', join(folder, 'limits'), source], { stdio: 'ignore' });
    return execFileSync(join(folder, 'limits'), {
      timeout: 20_000,
      maxBuffer: 1 << 24,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const DATA = 0xf2;
const EXPAND_DOWN = 0xf6;
const CODE = 0xfa;

describe('segment limits', () => {
  const hardware = askHardware();

  it.skipIf(hardware === null)('are those of the processor underneath', () => {
    const lines = hardware!.trim().split('\n');
    expect(lines.length).toBeGreaterThan(10_000);
    const s = new SegmentRegister();
    const d = new Descriptor();
    const wrong: string[] = [];
    for (const line of lines) {
      const [kind, readOnly, big, granular] = line.split(' ').map(Number);
      const [limit, offset] = line
        .split(' ')
        .slice(4, 6)
        .map((x) => Number.parseInt(x, 16));
      const [size, write, vector] = line.split(' ').slice(6).map(Number);
      const access = [DATA, EXPAND_DOWN, CODE][kind] & (readOnly ? ~2 : ~0);
      d.low = limit & 0xffff;
      d.high = (limit & 0xf0000) | (access << 8) | (big << 22) | (granular << 23);
      setHidden(s, 7, d);
      if (segmentAllows(s, offset, size, write === 1) !== (vector === 0)) wrong.push(line);
      else if (vector !== 0 && vector !== VECTOR.GP) wrong.push(line);
    }
    expect(wrong).toEqual([]);
  });
});

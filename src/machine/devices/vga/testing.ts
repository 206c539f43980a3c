// For tests: a guest that sets video modes by their registers and draws, stage by stage, going on when a key is pressed;
// the same image runs on our machine and on QEMU, and both give their picture and what came out of the serial port.
import { assemble } from '../../../assembler/assemble.ts';
import { costModel } from '../../../cost/processors.ts';
import { bootQemu, type Picture } from '../../../guests/testing/qemu.ts';
import { loadFlat } from '../../../images/boot.ts';
import { parseImage } from '../../../images/load.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { Stop } from '../../cpu/cpu.ts';
import { Pc } from '../../pc.ts';
import type { Screen } from '../screen.ts';
import type { ModeRegisters } from './modes.ts';

export interface Stage {
  name: string;
  /** Set before `draw` runs. */
  mode?: ModeRegisters;
  dac?: Uint8Array;
  /** Assembly; EBX is preserved by nobody. May call `print` (EAX as eight digits) and `random` (EAX). */
  draw: string;
}

const PRELUDE = `
bits 32
org 0x100000
header:
  dd 0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
  dd header, header, 0, 0, entry
entry:
  cld
  mov esp, 0x90000
  jmp main
; AL to the serial port
put:
  push edx
  push eax
  mov dx, 0x3fd
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  pop eax
  mov dx, 0x3f8
  out dx, al
  pop edx
  ret
; EAX as eight digits and a line end
print:
  pushad
  mov ecx, 8
.digit:
  rol eax, 4
  push eax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .put
  add al, 'a' - '0' - 10
.put:
  call put
  pop eax
  loop .digit
  mov al, 10
  call put
  popad
  ret
; next pseudo-random number in EAX
random:
  mov eax, [seed]
  imul eax, eax, 1664525
  add eax, 1013904223
  mov [seed], eax
  rol eax, 16
  ret
seed: dd 12345
; waits for the key to be released
key:
  in al, 0x64
  test al, 1
  jz key
  in al, 0x60
  test al, 0x80
  jz key
  ret
; ESI: misc, 5 sequencer, 25 CRTC, 9 graphics, 21 attribute registers; EDI: 768 bytes of colours
set_mode:
  mov dx, 0x3c2
  lodsb
  out dx, al
  mov dx, 0x3c4
  mov ecx, 5
  call indexed
  mov dx, 0x3d4
  mov ax, 0x0e11
  out dx, ax
  mov ecx, 25
  call indexed
  mov dx, 0x3ce
  mov ecx, 9
  call indexed
  mov dx, 0x3da
  in al, dx
  mov dx, 0x3c0
  xor ecx, ecx
.attribute:
  mov al, cl
  out dx, al
  lodsb
  out dx, al
  inc ecx
  cmp ecx, 21
  jb .attribute
  mov al, 0x20
  out dx, al
  mov esi, edi
  mov dx, 0x3c6
  mov al, 0xff
  out dx, al
  mov dx, 0x3c8
  xor eax, eax
  out dx, al
  inc edx
  mov ecx, 768
.colour:
  lodsb
  out dx, al
  loop .colour
  ret
indexed:
  xor ebx, ebx
.next:
  mov al, bl
  out dx, al
  inc edx
  lodsb
  out dx, al
  dec edx
  inc ebx
  cmp ebx, ecx
  jb .next
  ret
main:
`;

const data = (values: Iterable<number>) => `  db ${[...values].join(',')}\n`;

/** The image of a guest with these stages. Each prints `stage N` when its picture is complete. */
export function stagedGuest(stages: readonly Stage[]): Uint8Array {
  let code = PRELUDE;
  let tables = '';
  stages.forEach(({ mode, dac, draw }, n) => {
    if (mode && dac) {
      code += `  mov esi, mode${n}\n  mov edi, dac${n}\n  call set_mode\n`;
      tables += `mode${n}:\n${data([mode.misc, ...mode.sequencer, ...mode.crtc, ...mode.graphics, ...mode.attribute])}`;
      tables += `dac${n}:\n${data(dac)}`;
    }
    code += `${draw}\n  mov eax, 0x57a6e000 + ${n}\n  call print\n  call key\n`;
  });
  const source = `${code}\nend:\n  cli\n  hlt\n  jmp end\n${tables}`;
  const { bytes, diagnostics } = assemble(
    (name: string) => (name === 'guest.asm' ? source : undefined),
    'guest.asm',
  );
  if (diagnostics.length)
    throw new Error(
      diagnostics
        .map((d) => `${d.line}: ${d.message}`)
        .slice(0, 5)
        .join('\n'),
    );
  return bytes;
}

const marker = (n: number) => (0x57a6e000 + n).toString(16);

export interface StageResult {
  picture: Picture;
  serial: string;
}

/** Runs all stages on QEMU. */
export async function onQemu(image: Uint8Array, stages: number): Promise<StageResult[]> {
  const qemu = bootQemu(image);
  const results: StageResult[] = [];
  try {
    for (let n = 0; n < stages; n++) {
      await qemu.until(new RegExp(marker(n)));
      await qemu.wait(150); // its picture is drawn from time to time
      let picture = await qemu.screen();
      // A slow machine may still show us the file of the stage before.
      for (let again = 0; again < 20 && sameBytes(picture.pixels, results.at(-1)?.picture.pixels); again++)
        picture = await qemu.screen();
      results.push({ picture, serial: qemu.serial() });
      qemu.command('sendkey a');
    }
    return results;
  } finally {
    qemu.end();
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array | undefined) => b !== undefined && Buffer.compare(a, b) === 0;

/** Runs all stages here. */
export function onRingside(image: Uint8Array, stages: number): (StageResult & { screen: Screen })[] {
  const pc = new Pc(costModel('prescott'), new Recorder(64), 16 << 20, { startDate: '2005-08-23T09:41:00' });
  loadFlat(parseImage(image, 'guest'), { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
  let serial = '';
  pc.board.serial.onTransmit = (byte) => {
    serial += String.fromCharCode(byte);
  };
  const results: (StageResult & { screen: Screen })[] = [];
  for (let n = 0; n < stages; n++) {
    const limit = pc.cpu.cycles + 20 * pc.clock.frequency;
    while (!serial.includes(`${marker(n)}\n`)) {
      const stop = pc.run(Math.min(limit, pc.cpu.cycles + 1_000_000));
      if (stop === Stop.shutdown) throw new Error(`shutdown at ${pc.cpu.instructionStart.toString(16)}`);
      if (pc.cpu.cycles >= limit) throw new Error(`stage ${n} does not end`);
    }
    const screen = pc.board.screen();
    results.push({ screen, picture: pictureOf(screen), serial });
    pc.board.keys([0x1e, 0x9e]);
  }
  return results;
}

/** Red, green, blue of a graphics screen. */
export function pictureOf(screen: Screen): Picture {
  if (screen.mode === 'text') return { width: 0, height: 0, pixels: new Uint8Array(0) };
  const { width, height, pixels } = screen;
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    if (screen.mode === 'graphics') rgb.set(screen.palette.subarray(pixels[i] * 3, pixels[i] * 3 + 3), i * 3);
    else rgb.set(pixels.subarray(i * 4, i * 4 + 3), i * 3);
  }
  return { width, height, pixels: rgb };
}

/** Dots that differ, of a picture and one of another emulator that may show every dot several times. */
export function differences(ours: Picture, theirs: Picture): number {
  const across = theirs.width / ours.width;
  const down = theirs.height / ours.height;
  if (!Number.isInteger(across) || !Number.isInteger(down))
    throw new Error(`${ours.width}×${ours.height} here, ${theirs.width}×${theirs.height} there`);
  let count = 0;
  for (let y = 0; y < ours.height; y++) {
    for (let x = 0; x < ours.width; x++) {
      const a = (y * ours.width + x) * 3;
      const b = (y * down * theirs.width + x * across) * 3;
      // How six bits are spread over eight is each emulator's own choice.
      for (let k = 0; k < 3; k++) {
        if (Math.abs(ours.pixels[a + k] - theirs.pixels[b + k]) <= 8) continue;
        count++;
        break;
      }
    }
  }
  return count;
}

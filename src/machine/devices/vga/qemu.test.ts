// The adapter beside QEMU's: the same guest sets each mode by its registers, writes in every way the graphics controller
// has, and both must show the same picture and read the same bytes.
import { expect, it } from 'vitest';
import { installed } from '../../../guests/testing/nasm.ts';
import {
  cgaDac,
  dac256,
  MODE_0D,
  MODE_0E,
  MODE_04,
  MODE_06,
  MODE_10,
  MODE_11,
  MODE_12,
  MODE_13,
  type ModeRegisters,
  textDac,
} from './modes.ts';
import { differences, onQemu, onRingside, type Stage, stagedGuest } from './testing.ts';

/** Every byte of the four planes different: through the map mask, with the address in the data. */
const fillPlanes = (bytes: number) =>
  `
  mov ebx, 0
%%plane:
  mov dx, 0x3c4
  mov al, 2
  mov cl, bl
  mov ah, 1
  shl ah, cl
  out dx, ax
  mov edi, 0xa0000
%%byte:
  mov eax, edi
  imul eax, eax, 0x9e3779b1
  mov cl, bl
  shl cl, 2
  shr eax, cl
  shr eax, 9
  stosb
  cmp edi, 0xa0000 + ${bytes}
  jb %%byte
  inc ebx
  cmp ebx, 4
  jb %%plane
  mov ax, 0x0f02
  out dx, ax
`.replaceAll('%%', '.');

/** Random settings of the graphics controller and the map mask, random reads and writes of all sizes. EBP sums what was read. */
const randomAccesses = (count: number) => `
  mov ebp, 0
  mov dword [0x80000], ${count}
.again:
  call random
  and eax, 15
  cmp eax, 9
  jae .mask
  cmp eax, 6            ; the memory map stays
  je .access
  cmp eax, 5
  jne .any
  call random           ; write modes 0 to 3, read modes 0 and 1
  and eax, 0x0b
  shl eax, 8
  mov al, 5
  jmp .set
.any:
  mov ecx, eax
  call random
  shl eax, 8
  mov al, cl
.set:
  mov dx, 0x3ce
  out dx, ax
  jmp .access
.mask:
  call random
  and eax, 0x0f
  shl eax, 8
  mov al, 2
  mov dx, 0x3c4
  out dx, ax
.access:
  mov dword [0x80004], 6
.few:
  call random
  mov edi, eax
  and edi, 0x7fff
  add edi, 0xa0000
  call random
  mov ecx, eax
  shr ecx, 29
  cmp ecx, 0
  je .write8
  cmp ecx, 1
  je .write16
  cmp ecx, 2
  je .write32
  cmp ecx, 3
  je .or8
  cmp ecx, 4
  je .copy
  cmp ecx, 5
  je .read32
  movzx eax, byte [edi]
  jmp .sum
.read32:
  and edi, ~3           ; unaligned, QEMU reads more bytes than the processor asked for, and the latches tell
  mov eax, [edi]
.sum:
  rol ebp, 5
  add ebp, eax
  jmp .done
.write8:
  mov [edi], al
  jmp .done
.write16:
  mov [edi], ax
  jmp .done
.write32:
  mov [edi], eax
  jmp .done
.or8:
  or [edi], al
  jmp .done
.copy:
  mov esi, edi
  xor esi, 0x1234
  and esi, 0xa7fff
  mov ecx, 40
  rep movsb
.done:
  dec dword [0x80004]
  jnz .few
  dec dword [0x80000]
  jnz .again
  mov eax, ebp
  call print
  mov ax, 0x0f02
  mov dx, 0x3c4
  out dx, ax
`;

/** A CRTC register. */
const crtc = (index: number, value: number) => `
  mov dx, 0x3d4
  mov ax, ${(value << 8) | index}
  out dx, ax
`;

const planar = (name: string, mode: ModeRegisters, dac: Uint8Array, draw: string): Stage => ({
  name,
  mode,
  dac,
  draw: `jmp ${label(name)}\n${label(name)}:\n${draw}`,
});
const label = (name: string) => `stage_${name.replaceAll(/\W/g, '_')}`;

/** Every byte of the window at B8000h different. */
const fillWindow = `
  mov edi, 0xb8000
.byte:
  mov eax, edi
  imul eax, eax, 0x9e3779b1
  shr eax, 11
  stosb
  cmp edi, 0xb8000 + 0x4000
  jb .byte
`;

const vbe = (index: number, value: number) => `
  mov dx, 0x1ce
  mov ax, ${index}
  out dx, ax
  inc edx
  mov ax, ${value}
  out dx, ax
`;
/** A gradient with every bit used, into the linear frame buffer that PCI BAR 0 names. */
const fillLinear = (bytes: number) => `
  mov edi, [0x80010]
  mov ecx, ${bytes >> 2}
.fill:
  mov eax, ecx
  imul eax, eax, 0x9e3779b1
  stosd
  loop .fill
`;
const linear = (width: number, height: number, depth: number): Stage =>
  planar(
    `${width}×${height}×${depth}`,
    MODE_13,
    dac256(),
    `
  mov dx, 0xcf8
  mov eax, 0x80001010
  out dx, eax
  mov dx, 0xcfc
  in eax, dx
  and al, 0xf0
  mov [0x80010], eax
  ${vbe(4, 0)}${vbe(1, width)}${vbe(2, height)}${vbe(3, depth)}${vbe(4, 0x41)}
  ${fillLinear(width * height * ((depth + 7) >> 3))}`,
  );

const STAGES: Stage[] = [
  planar('640×480 planes', MODE_12, textDac(), fillPlanes(0xa000)),
  planar('640×480 every way to write', MODE_12, textDac(), randomAccesses(4000)),
  planar('320×200 planes', MODE_0D, cgaDac(), fillPlanes(0x4000)),
  planar(
    '320×200 scrolled',
    MODE_0D,
    cgaDac(),
    `${fillPlanes(0x4000)}${crtc(0x0c, 0x12)}${crtc(0x0d, 0x35)}`,
  ),
  planar('640×200', MODE_0E, cgaDac(), fillPlanes(0x4000)),
  planar('640×350', MODE_10, textDac(), fillPlanes(0x8000)),
  planar(
    '640×350 split',
    MODE_10,
    textDac(),
    `${fillPlanes(0x8000)}${crtc(0x0d, 80)}${crtc(0x18, 199)}${crtc(0x07, 0x0f)}${crtc(0x09, 0)}`,
  ),
  planar(
    '320×200×256',
    MODE_13,
    dac256(),
    `
  mov edi, 0xa0000
.byte:
  mov eax, edi
  mov ecx, edi
  shr ecx, 7
  add eax, ecx
  stosb
  cmp edi, 0xa0000 + 64000
  jb .byte
`,
  ),
  planar(
    'mode X',
    {
      ...MODE_13,
      sequencer: [3, 1, 15, 0, 6],
      crtc: MODE_13.crtc.map((v, i) => (i === 0x14 ? 0 : i === 0x17 ? 0xe3 : v)),
    },
    dac256(),
    fillPlanes(0x4000),
  ),
  planar('CGA 640×200', MODE_06, cgaDac(), fillWindow),
  planar('CGA 320×200', MODE_04, cgaDac(), fillWindow),
  planar('640×480 two colours', MODE_11, textDac(), fillPlanes(0x9600)),
  linear(640, 480, 8),
  linear(800, 600, 16),
  linear(640, 480, 15),
  linear(1024, 768, 32),
  linear(640, 480, 24),
];

it.skipIf(!installed('qemu-system-i386'))(
  'shows what QEMU shows, and reads what it reads (skipped without qemu-system-i386)',
  async () => {
    const image = stagedGuest(STAGES);
    const theirs = await onQemu(image, STAGES.length);
    const ours = onRingside(image, STAGES.length);
    const table = STAGES.map(({ name }, n) => ({
      name,
      size: `${ours[n].picture.width}×${ours[n].picture.height}`,
      different: differences(ours[n].picture, theirs[n].picture),
      reads: ours[n].serial === theirs[n].serial.replaceAll('\r', ''),
    }));
    for (const row of table)
      expect(row).toEqual({ name: row.name, size: row.size, different: 0, reads: true });
  },
  180_000,
);

// The few words of the BIOS data area that 32-bit kernels still look at when no firmware has run before them (IBM PS/2
// and PC BIOS Interface Technical Reference, "BIOS Data Area"): base memory, the extended area, the serial port, the screen.

/** Segment of the extended BIOS data area: the last KiB of conventional memory. */
const EBDA_SEGMENT = 0x9fc0;

/** Pieces of memory, as `LoadTarget.load` takes them. */
export function biosData(): { address: number; data: Uint8Array }[] {
  const area = new Uint8Array(0x100);
  const view = new DataView(area.buffer);
  view.setUint16(0x00, 0x3f8, true); // COM1
  view.setUint16(0x0e, EBDA_SEGMENT, true);
  view.setUint16(0x10, 0x0226, true); // equipment: coprocessor, 80x25 colour, mouse, one serial port
  view.setUint16(0x13, 639, true); // KiB of base memory
  area[0x49] = 3; // video mode
  view.setUint16(0x4a, 80, true);
  view.setUint16(0x4c, 0x1000, true); // bytes of a page
  view.setUint16(0x60, 0x0607, true); // cursor shape
  view.setUint16(0x63, 0x3d4, true); // CRT controller
  area[0x84] = 24; // last row
  view.setUint16(0x85, 16, true); // height of a character
  return [
    { address: 0x400, data: area },
    { address: EBDA_SEGMENT << 4, data: Uint8Array.of(1) }, // its length in KiB
  ];
}

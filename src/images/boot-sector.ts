// What the first sector of a disk says about it: a boot signature, and perhaps a table of partitions.

const SECTOR = 512;
const PARTITION_TABLE = 0x1be;

/** The last two bytes of the first sector are 55h, AAh. */
export function hasBootSignature(bytes: Uint8Array): boolean {
  return bytes.length >= SECTOR && bytes[0x1fe] === 0x55 && bytes[0x1ff] === 0xaa;
}

/** Four entries that make sense, and one of them has a type and sectors. */
export function hasPartitions(bytes: Uint8Array): boolean {
  if (!hasBootSignature(bytes) || bytes.length <= SECTOR) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let used = 0;
  for (let entry = PARTITION_TABLE; entry < PARTITION_TABLE + 64; entry += 16) {
    const active = bytes[entry];
    if (active !== 0 && active !== 0x80) return false;
    const start = view.getUint32(entry + 8, true);
    if (bytes[entry + 4] === 0) continue;
    if (start * SECTOR >= bytes.length || view.getUint32(entry + 12, true) === 0) return false;
    used++;
  }
  return used > 0;
}

// Names files that people drop on the page by mistake, by their magic numbers, so that a refusal says what was seen.

/** What a file looks like, in words, when it is something that cannot boot here; null when it is not recognized. */
export function recognize(bytes: Uint8Array): string | null {
  if (!bytes.length) return 'an empty file';
  const at = (offset: number, ...values: (number | string)[]) => {
    const wanted = values.flatMap((v) => (typeof v === 'string' ? [...v].map((c) => c.charCodeAt(0)) : [v]));
    return offset + wanted.length <= bytes.length && wanted.every((v, i) => bytes[offset + i] === v);
  };
  if (at(0, 'MZ')) {
    const pe = bytes.length >= 64 ? bytes[0x3c] | (bytes[0x3d] << 8) : -1;
    return pe >= 0 && at(pe, 'PE', 0, 0) ? 'a Windows program or EFI image (PE)' : 'a DOS program (MZ)';
  }
  const magics: [number, (number | string)[], string][] = [
    [0, [0x1f, 0x8b], 'a gzip file (unpack it first)'],
    [0, ['BZh'], 'a bzip2 file (unpack it first)'],
    [0, [0xfd, '7zXZ'], 'an xz file (unpack it first)'],
    [0, [0x28, 0xb5, 0x2f, 0xfd], 'a zstd file (unpack it first)'],
    [0, ['PK', 3, 4], 'a zip archive (unpack it first)'],
    [257, ['ustar'], 'a tar archive (unpack it first)'],
    [0, ['070701'], 'a cpio archive (an initrd?)'],
    [0, ['QFI', 0xfb], 'a QEMU disk image (qcow2)'],
    [0, ['KDMV'], 'a VMware disk image (VMDK)'],
    [0, ['# Disk DescriptorFile'], 'a VMware disk description (VMDK)'],
    [0, ['conectix'], 'a Virtual PC disk image (VHD)'],
    [0, ['<<< '], 'a VirtualBox disk image (VDI)'],
    [0, [0, 'asm'], 'a WebAssembly module'],
    [0, [0xca, 0xfe, 0xba, 0xbe], 'a Java class or Mach-O file'],
    [0, [0xcf, 0xfa, 0xed, 0xfe], 'a Mach-O file'],
    [0, [0xce, 0xfa, 0xed, 0xfe], 'a Mach-O file'],
    [0, [0x4c, 0x01], 'a COFF object file'],
    [0, ['%PDF'], 'a PDF document'],
    [0, [0x89, 'PNG'], 'a PNG picture'],
    [0, ['#!'], 'a script'],
  ];
  for (const [offset, values, words] of magics) if (at(offset, ...values)) return words;
  if (looksLikeText(bytes)) return 'text (assembly source must have a name that ends in .asm)';
  return null;
}

function looksLikeText(bytes: Uint8Array): boolean {
  const n = Math.min(bytes.length, 2048);
  for (let i = 0; i < n; i++)
    if (bytes[i] === 0x7f || (bytes[i] < 32 && ![9, 10, 12, 13].includes(bytes[i]))) return false;
  return true;
}

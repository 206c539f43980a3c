// An initial RAM disk: a cpio archive in the "newc" format (Linux Documentation/driver-api/early-userspace/buffer-format.rst),
// compressed with gzip, with busybox for everything and an init that gives a shell on the serial port.
import { gzipSync } from 'node:zlib';

interface Node {
  name: string;
  /** Type and permissions, as in stat. */
  mode: number;
  data?: Uint8Array;
  /** Major and minor number of a device. */
  device?: readonly [number, number];
}

const DIRECTORY = 0o40755;
const PROGRAM = 0o100755;
const LINK = 0o120777;
const CHARACTER_DEVICE = 0o20600;
const MAGIC = '070701';

/** Packs nodes, in order: a folder before what is in it. */
export function cpio(nodes: readonly Node[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const pad = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  [...nodes, { name: 'TRAILER!!!', mode: 0 } as Node].forEach(({ name, mode, data, device }, n) => {
    const body = data ?? new Uint8Array();
    const [major, minor] = device ?? [0, 0];
    const fields = [n + 1, mode, 0, 0, 1, 0, body.length, 0, 0, major, minor, name.length + 1, 0];
    const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
    parts.push(pad(Buffer.from(`${header}${name}\0`, 'latin1')), pad(body));
  });
  return Buffer.concat(parts);
}

const APPLETS =
  'sh mount timeout grep wc diff tail cat uname echo sleep ps head free md5sum seq poweroff setsid cttyhack dmesg ls date'.split(
    ' ',
  );
const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
echo "ringside: init runs"
exec setsid cttyhack sh
`;

/** @param busybox the static program. @param extra further programs by name, for /bin */
export function initrd(busybox: Uint8Array, extra: ReadonlyMap<string, Uint8Array> = new Map()): Uint8Array {
  const text = (value: string) => Buffer.from(value, 'latin1');
  return gzipSync(
    cpio([
      ...['bin', 'dev', 'proc', 'sys', 'tmp'].map((name) => ({ name, mode: DIRECTORY })),
      { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
      { name: 'bin/busybox', mode: PROGRAM, data: busybox },
      ...APPLETS.map((name) => ({ name: `bin/${name}`, mode: LINK, data: text('busybox') })),
      ...[...extra].map(([name, data]) => ({ name: `bin/${name}`, mode: PROGRAM, data })),
      { name: 'init', mode: PROGRAM, data: text(INIT) },
    ]),
  );
}

// Kernels and programs in Linux's format that are entered at their setup code, in real mode and with a BIOS under them
// (Linux Documentation/arch/x86/boot.rst, "Loading The Rest of The Kernel", "Running the Kernel"): iPXE, memdisk. They are put
// into memory here; firmware goes to them when the set-up memory says that something is there.
import { type Image, ImageError, type LoadTarget, loadSegments } from './image.ts';
import { COMMAND_LINE, initrdAddress, type LinuxOptions, loadCommandLine, onlyInitrd } from './linux.ts';
import { SETUP_ENTRY } from './linux-header.ts';

/** Segment of the setup code, and what lies in it: boot sector, code, heap, stack. boot.asm of the firmware has the same. */
const SETUP = SETUP_ENTRY - 0x200;
/** Offset of the end of the heap; the stack begins there. */
const HEAP_END = 0xe000;

/** Fields of the setup header. */
const TYPE_OF_LOADER = 0x210;
const LOAD_FLAGS = 0x211;
const CAN_USE_HEAP = 0x80;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const HEAP_END_POINTER = 0x224;
const COMMAND_LINE_POINTER = 0x228;
const UNREGISTERED_LOADER = 0xff;
/** heap_end_ptr counts from the end of the boot sector. */
const BOOT_SECTOR = 0x200;

/** Loads setup code, kernel, command line and initrd. Throws ImageError when something does not fit. */
export function loadLinuxSetup(target: LoadTarget, image: Image, options: LinuxOptions = {}): void {
  if (image.kind !== 'linux' || !image.linux.setup)
    throw new ImageError(`${image.name}: has no setup code to run`);
  const { linux } = image;
  const setup = image.linux.setup.slice();
  if (setup.length > HEAP_END)
    throw new ImageError(`${image.name}: its setup code of ${setup.length >> 10} KiB does not fit`);
  const initrd = onlyInitrd(image, options);
  loadSegments(target, image);
  loadCommandLine(target, image, linux, options.commandLine ?? '');
  const view = new DataView(setup.buffer);
  setup[TYPE_OF_LOADER] = UNREGISTERED_LOADER;
  setup[LOAD_FLAGS] |= CAN_USE_HEAP;
  view.setUint16(HEAP_END_POINTER, HEAP_END - BOOT_SECTOR, true);
  view.setUint32(COMMAND_LINE_POINTER, COMMAND_LINE, true);
  if (initrd) {
    const end = linux.load + image.segments[0].memorySize;
    const at = initrdAddress(linux, target.size, initrd.data.length, end, image.name);
    target.load(at, initrd.data);
    view.setUint32(RAMDISK_IMAGE, at, true);
    view.setUint32(RAMDISK_SIZE, initrd.data.length, true);
  }
  target.load(SETUP, setup);
}

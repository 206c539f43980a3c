// One event, one line: the text that the stage's labels, the event list, `--trace` and the golden files share.
import {
  Channel,
  Device,
  Emulated,
  Injected,
  Kind,
  type KindName,
  Life,
  Shadow,
  Switch,
  type TraceEvent,
  Vendor,
} from './events.ts';
import { exitName, vectorName, vocabularies } from './exits.ts';
import { hex8 } from './hex.ts';
import { hypercallName, resultName } from './xen-names.ts';

const hex = (value: number): string => `${(value >>> 0).toString(16)}h`;
const nameOf = (table: Record<string, number>, value: number): string =>
  Object.keys(table).find((key) => table[key] === value) ?? `${value}`;

const KIND_NAMES: string[] = [];
for (const [name, value] of Object.entries(Kind)) KIND_NAMES[value] = name;

/** `exit`, `hypercall`, … */
export function kindName(kind: number): KindName {
  return KIND_NAMES[kind] as KindName;
}

const CR_TYPES = (q: number): string => {
  const cr = q & 15;
  return [`MOV to CR${cr}`, `MOV from CR${cr}`, 'CLTS', 'LMSW'][(q >> 4) & 3];
};
const ioText = (q: number): string =>
  `${q & 8 ? 'IN' : 'OUT'}${q & 16 ? 'S' : ''} port ${hex((q >>> 16) & 0xffff)}`;
const faultText = (error: number): string =>
  `${error & 1 ? 'protection' : 'not present'}, ${error & 2 ? 'write' : error & 16 ? 'fetch' : 'read'}, ${error & 4 ? 'user' : 'supervisor'}`;

function exitDetail(e: TraceEvent): string {
  if (e.e === Vendor.vmx) {
    switch (e.a & 0xffff) {
      case 0: {
        const vector = e.c & 0xff;
        return vector === 14 ? `: ${vectorName(vector)} at ${hex8(e.b)}` : `: ${vectorName(vector)}`;
      }
      case 14:
        return `: page ${hex8(e.b)}`;
      case 28:
        return `: ${CR_TYPES(e.b)}`;
      case 30:
        return `: ${ioText(e.b)}`;
      case 31:
      case 32:
        return `: MSR ${hex(e.c)}`;
      default:
        return '';
    }
  }
  if (e.a === 14) return ` at ${hex8(e.b)} (${faultText(e.c)})`;
  if (e.a === 13) return e.c ? ` (error code ${hex(e.c)})` : '';
  return '';
}

const SHADOW_TEXT: Record<number, (e: TraceEvent) => string> = {
  [Shadow.fill]: (e) =>
    `shadow entry filled: ${hex8(e.b)} → guest-physical ${hex8(e.c)} → machine ${hex8(e.d)}`,
  [Shadow.switchRoot]: (e) => `shadow CR3 switched: guest CR3 ${hex8(e.c)} → machine ${hex8(e.d)}`,
  [Shadow.flush]: (e) => `shadow flushed: ${e.b} entries dropped`,
  [Shadow.invalidatePage]: (e) =>
    e.d
      ? `shadow entry of ${hex8(e.b)} follows the guest’s: machine ${hex8(e.d)}`
      : `no shadow entry of ${hex8(e.b)}`,
  [Shadow.guestFault]: (e) => `the fault at ${hex8(e.b)} is the guest's own`,
};

const EMULATED_TEXT: Record<number, (e: TraceEvent) => string> = {
  [Emulated.crRead]: (e) => `emulated MOV from CR${e.b}: ${hex8(e.c)}`,
  [Emulated.crWrite]: (e) => `emulated MOV to CR${e.b}: ${hex8(e.c)}`,
  [Emulated.clts]: () => 'emulated CLTS',
  [Emulated.lmsw]: (e) => `emulated LMSW: ${hex(e.c)}`,
  [Emulated.ioIn]: (e) => `emulated IN port ${hex(e.b)}: ${hex(e.c)}`,
  [Emulated.ioOut]: (e) => `emulated OUT port ${hex(e.b)}: ${hex(e.c)}`,
  [Emulated.cpuid]: (e) => `emulated CPUID leaf ${hex(e.b)}`,
  [Emulated.rdmsr]: (e) => `emulated RDMSR ${hex(e.b)}: ${hex(e.c)}`,
  [Emulated.wrmsr]: (e) => `emulated WRMSR ${hex(e.b)}: ${hex(e.c)}`,
  [Emulated.hlt]: () => 'emulated HLT: the virtual processor sleeps',
  [Emulated.invlpg]: (e) => `emulated INVLPG ${hex8(e.b)}`,
  [Emulated.cli]: () => 'emulated CLI',
  [Emulated.sti]: () => 'emulated STI',
  [Emulated.drAccess]: (e) => `emulated access to DR${e.b}`,
  [Emulated.rdtsc]: (e) => `emulated RDTSC: ${hex8(e.c)}`,
  [Emulated.wbinvd]: () => 'emulated WBINVD',
  [Emulated.descriptorTable]: (e) =>
    `emulated ${['LGDT', 'LIDT', 'LLDT', 'LTR'][e.b] ?? 'descriptor-table access'}: ${hex8(e.c)}`,
  [Emulated.pushf]: () => 'emulated PUSHF',
  [Emulated.popf]: () => 'emulated POPF',
  [Emulated.iret]: () => 'emulated IRET',
  [Emulated.loadSegment]: (e) => `emulated load of ${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][e.b]}: ${hex(e.c)}`,
  [Emulated.farTransfer]: () => 'emulated far transfer',
  [Emulated.mmioRead]: (e) => `emulated read of device memory ${hex8(e.b)}: ${hex(e.c)}`,
  [Emulated.mmioWrite]: (e) => `emulated write to device memory ${hex8(e.b)}: ${hex(e.c)}`,
  [Emulated.interpreted]: (e) => `interpreted ${e.b} instruction${e.b === 1 ? '' : 's'} from ${hex8(e.c)}`,
  [Emulated.taskSwitch]: (e) => `emulated task switch to TSS ${hex(e.b)}`,
};

const SWITCH_TEXT: Record<number, string> = {
  [Switch.start]: 'start',
  [Switch.sliceEnd]: 'slice used up',
  [Switch.blocked]: 'it waits',
  [Switch.woken]: 'woken by an event',
  [Switch.stopped]: 'stopped',
  [Switch.yielded]: 'it yielded',
};
const LIFE_TEXT: Record<number, string> = {
  [Life.created]: 'created',
  [Life.booted]: 'booted',
  [Life.halted]: 'shut down',
  [Life.rebooted]: 'rebooted',
  [Life.crashed]: 'crashed',
  [Life.tripleFault]: 'triple fault',
  [Life.destroyed]: 'destroyed',
  [Life.paused]: 'paused',
  [Life.resumed]: 'resumed',
};
const printable = (code: number): string =>
  code >= 32 && code < 127 ? `'${String.fromCharCode(code)}'` : code === 10 ? "'\\n'" : hex(code);

/** What happened, in words, without time and place. */
export function eventText(e: TraceEvent): string {
  switch (e.kind) {
    case Kind.interrupt: {
      const what = e.e & 2 ? `INT ${hex(e.a)}` : e.e & 1 ? `interrupt ${vectorName(e.a)}` : vectorName(e.a);
      return `${what}: ring ${e.c} → ring ${e.d}`;
    }
    case Kind.ring:
      return `return: ring ${e.a} → ring ${e.b}`;
    case Kind.exit:
      if (vocabularies[e.e]) return vocabularies[e.e]!.text(e);
      return e.e === Vendor.vmx
        ? `VM exit ${e.a & 0xffff} ${exitName(e.e, e.a)}${exitDetail(e)}`
        : `trap into ${e.e === Vendor.trap ? 'the monitor' : 'Xen'}: ${exitName(e.e, e.a)}${exitDetail(e)}`;
    case Kind.entry:
      return `entry${e.a >= 0 ? ` with ${vectorName(e.a)} injected` : ''} · ${e.cost.toLocaleString('en-US').replaceAll(',', ' ')} cycles`;
    case Kind.hypercall:
      return `hypercall ${hypercallName(e.a)}(${hex(e.b)}, ${hex(e.c)}, ${hex(e.d)}) = ${resultName(e.e)}`;
    case Kind.emulate:
      return EMULATED_TEXT[e.a]?.(e) ?? `emulated (${e.a})`;
    case Kind.inject:
      return `${e.c === Injected.virtualInterrupt ? 'virtual interrupt' : e.c === Injected.reflected ? 'reflected to the guest:' : 'injected'} ${vectorName(e.a)}`;
    case Kind.upcall:
      return `event channel: port ${e.a} pending, upcall`;
    case Kind.shadow:
      return SHADOW_TEXT[e.a]?.(e) ?? `shadow (${e.a})`;
    case Kind.pageTable:
      return `page-table entry ${hex8(e.a)} := ${hex8(e.b)} (level ${e.c}) ${e.d ? resultName(e.d) : 'validated'}`;
    case Kind.schedule:
      return `world switch: ${e.a < 0 ? 'idle' : `domain ${e.a}`} → ${e.b < 0 ? 'idle' : `domain ${e.b}`} (${SWITCH_TEXT[e.c] ?? e.c})`;
    case Kind.device:
      return `${nameOf(Device, e.a)}: ${e.b ? 'OUT' : 'IN'} ${hex(e.c)} ${e.b ? '←' : '→'} ${hex(e.d)}`;
    case Kind.irq:
      return `hardware interrupt ${vectorName(e.a)}${e.b >= 0 ? ` (IRQ ${e.b})` : ''}`;
    case Kind.output:
      return `${nameOf(Channel, e.b)} output ${printable(e.a)}`;
    case Kind.idle:
      return e.a === 0 ? 'HLT: waits for an interrupt' : 'blocks until an event';
    case Kind.domain:
      return `domain ${LIFE_TEXT[e.a] ?? e.a}`;
    case Kind.hole:
      return `silently wrong: got ${hex8(e.b)}, bare hardware ${e.d ? `raises ${vectorName(e.c)}` : `gives ${hex8(e.c)}`}`;
    case Kind.translate:
      if (e.e === 2) return 'translation cache emptied';
      return `translated ${e.b} bytes at ${hex8(e.a)} to ${e.d} bytes at ${hex8(e.c)}${e.e ? ': again, for an instruction that trapped too often' : ''}`;
    case Kind.addressSpace:
      return `CR3 := ${hex8(e.a)}`;
    default:
      return `event ${e.kind}`;
  }
}

/** The whole line: time in cycles, domain, instruction pointer, kind, words. */
export function formatEvent(e: TraceEvent): string {
  const place = e.domain < 0 ? 'host' : `d${e.domain}v${e.vcpu}`;
  return `${String(e.time).padStart(12)} ${place.padEnd(5)} ${hex8(e.eip)} ${kindName(e.kind).padEnd(12)} ${eventText(e)}`;
}

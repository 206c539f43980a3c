// Our numbers and offsets of Xen's i386 interface against Xen's own public headers (package libxen-dev), as gcc -m32 reads them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SELECTOR } from '../../src/hypervisor/monitor.ts';
import {
  CONSOLE,
  DOMID_SELF,
  EVENT_PORTS,
  EVTCHNOP,
  HYPERCALL,
  MMU,
  MMUEXT,
  SCHEDOP,
  SHARED_INFO,
  SHUTDOWN,
  START_INFO,
  TRAP_INFO_SIZE,
  VIRQ,
} from '../../src/hypervisor/paravirtualization/abi.ts';
import {
  CALLBACK,
  CONTEXT,
  FEATURE,
  NUMBER,
  RESERVATION,
  USER_REGS,
  VCPUOP,
  VGCF_I387_VALID,
  VMASST,
  XENMEM,
  XENVER,
} from '../../src/hypervisor/paravirtualization/calls/numbers.ts';
import { PAE, TWO_LEVELS } from '../../src/hypervisor/paravirtualization/layout.ts';
import { RUNSTATE } from '../../src/hypervisor/paravirtualization/pv-vcpu.ts';
import { GNTMAP, GNTST, GNTTABOP, GTF } from '../../src/hypervisor/xen/abi.ts';
import { xenPackage } from './xen-packages.ts';

const found = xenPackage('libxen-dev');
const compiler = spawnSync('gcc', ['-m32', '-E', '-'], { input: '' }).status === 0;
const missing = 'reason' in found ? found.reason : compiler ? null : 'there is no gcc that knows -m32';
if (missing) console.warn(`Xen's headers are not compared: ${missing}`);

const HEADERS = [
  'xen',
  'vcpu',
  'sched',
  'memory',
  'version',
  'features',
  'callback',
  'event_channel',
  'grant_table',
  'io/console',
];

const snake = (name: string) =>
  name.replace(/[A-Z0-9]+/g, (c, at) => (at ? `_${c.toLowerCase()}` : c.toLowerCase()));
/** Every number of a table under the prefix that the header gives it; names that differ are told. */
const all = (prefix: string, table: Readonly<Record<string, number>>, renamed: Record<string, string> = {}) =>
  Object.entries(table).map(([name, value]): [string, number] => [
    `${prefix}${renamed[name] ?? snake(name)}`,
    value,
  ]);
const offsets = (type: string, table: Readonly<Record<string, number>>, members: Record<string, string>) =>
  Object.entries(members).map(([name, member]): [string, number] => [
    `offsetof(${type}, ${member})`,
    table[name],
  ]);

const EXPRESSIONS: [string, number][] = [
  ...all('__HYPERVISOR_', HYPERCALL),
  ...all('__HYPERVISOR_', NUMBER),
  ...offsets('start_info_t', START_INFO, {
    nrPages: 'nr_pages',
    sharedInfo: 'shared_info',
    flags: 'flags',
    storeMfn: 'store_mfn',
    storeEvtchn: 'store_evtchn',
    consoleMfn: 'console.domU.mfn',
    consoleEvtchn: 'console.domU.evtchn',
    ptBase: 'pt_base',
    nrPtFrames: 'nr_pt_frames',
    mfnList: 'mfn_list',
    modStart: 'mod_start',
    modLen: 'mod_len',
    cmdLine: 'cmd_line',
  }),
  ...offsets('shared_info_t', SHARED_INFO, {
    upcallPending: 'vcpu_info[0].evtchn_upcall_pending',
    upcallMask: 'vcpu_info[0].evtchn_upcall_mask',
    pendingSelector: 'vcpu_info[0].evtchn_pending_sel',
    cr2: 'vcpu_info[0].arch.cr2',
    timeVersion: 'vcpu_info[0].time.version',
    tscTimestamp: 'vcpu_info[0].time.tsc_timestamp',
    systemTime: 'vcpu_info[0].time.system_time',
    tscMultiplier: 'vcpu_info[0].time.tsc_to_system_mul',
    tscShift: 'vcpu_info[0].time.tsc_shift',
    evtchnPending: 'evtchn_pending',
    evtchnMask: 'evtchn_mask',
    wallclockVersion: 'wc_version',
    wallclockSeconds: 'wc_sec',
    wallclockNanoseconds: 'wc_nsec',
  }),
  ...offsets('struct xencons_interface', CONSOLE, {
    in: 'in',
    out: 'out',
    inCons: 'in_cons',
    inProd: 'in_prod',
    outCons: 'out_cons',
    outProd: 'out_prod',
  }),
  ...offsets('struct xen_memory_reservation', RESERVATION, {
    extentStart: 'extent_start',
    extents: 'nr_extents',
    order: 'extent_order',
    domain: 'domid',
  }),
  ['sizeof(struct xen_memory_reservation)', RESERVATION.size],
  ['sizeof(struct trap_info)', TRAP_INFO_SIZE],
  ['sizeof(struct multicall_entry)', 32],
  ['sizeof(struct mmuext_op)', 12],
  ['sizeof(struct mmu_update)', 16],
  ['sizeof(struct vcpu_info)', 64],
  ['offsetof(struct vcpu_runstate_info, time)', 12],
  ['offsetof(struct callback_register, address)', 4],
  ['sizeof(((shared_info_t *)0)->evtchn_pending) * 8', EVENT_PORTS],
  ['DOMID_SELF', DOMID_SELF],
  ['FLAT_RING1_CS', SELECTOR.ring1Code],
  ['FLAT_RING1_DS', SELECTOR.ring1Data],
  ['FLAT_RING3_CS', SELECTOR.ring3Code],
  ['FLAT_RING3_DS', SELECTOR.ring3Data],
  ['FIRST_RESERVED_GDT_BYTE', SELECTOR.firstReserved],
  ['__HYPERVISOR_VIRT_START_PAE', PAE.hypervisorStart | 0],
  ['__MACH2PHYS_VIRT_END_PAE', PAE.segmentEnd | 0],
  ['__HYPERVISOR_VIRT_START_NONPAE', TWO_LEVELS.hypervisorStart | 0],
  ['__MACH2PHYS_VIRT_END_NONPAE', TWO_LEVELS.segmentEnd | 0],
  ['MMU_NORMAL_PT_UPDATE', MMU.normal],
  ['MMU_MACHPHYS_UPDATE', MMU.machphys],
  ['MMU_PT_UPDATE_PRESERVE_AD', MMU.preserveAd],
  ...all('MMUEXT_', MMUEXT, {
    pinL1: 'PIN_L1_TABLE',
    pinL2: 'PIN_L2_TABLE',
    pinL3: 'PIN_L3_TABLE',
    pinL4: 'PIN_L4_TABLE',
    unpin: 'UNPIN_TABLE',
    newBasePointer: 'NEW_BASEPTR',
    tlbFlushLocal: 'TLB_FLUSH_LOCAL',
    invlpgLocal: 'INVLPG_LOCAL',
    tlbFlushMulti: 'TLB_FLUSH_MULTI',
    invlpgMulti: 'INVLPG_MULTI',
    tlbFlushAll: 'TLB_FLUSH_ALL',
    invlpgAll: 'INVLPG_ALL',
    flushCache: 'FLUSH_CACHE',
    setLdt: 'SET_LDT',
    newUserBasePointer: 'NEW_USER_BASEPTR',
    clearPage: 'CLEAR_PAGE',
    copyPage: 'COPY_PAGE',
  }),
  ...all('SCHEDOP_', SCHEDOP),
  ...all('SHUTDOWN_', SHUTDOWN),
  ...all('EVTCHNOP_', EVTCHNOP),
  ...all('VIRQ_', VIRQ, { timer: 'TIMER', debug: 'DEBUG', console: 'CONSOLE' }),
  ...all('RUNSTATE_', RUNSTATE),
  ...all('VMASST_TYPE_', VMASST, {
    segments4gb: '4gb_segments',
    segments4gbNotify: '4gb_segments_notify',
    writablePageTables: 'writable_pagetables',
    paeExtendedCr3: 'pae_extended_cr3',
  }),
  ...all('CALLBACKTYPE_', CALLBACK, { sysenterDeprecated: 'sysenter_deprecated', syscall32: 'syscall32' }),
  ...all('XENMEM_', XENMEM),
  ...all('XENVER_', XENVER, { commandLine: 'commandline', pageSize: 'pagesize' }),
  ...all('XENFEAT_', FEATURE, {
    paePgdirAbove4gb: 'pae_pgdir_above_4gb',
    preserveAd: 'mmu_pt_update_preserve_ad',
  }),
  ...offsets('vcpu_guest_context_t', CONTEXT, {
    flags: 'flags',
    userRegs: 'user_regs',
    traps: 'trap_ctxt',
    ldtBase: 'ldt_base',
    ldtEntries: 'ldt_ents',
    gdtFrames: 'gdt_frames',
    gdtEntries: 'gdt_ents',
    kernelSs: 'kernel_ss',
    kernelSp: 'kernel_sp',
    cr3: 'ctrlreg[3]',
    debugRegisters: 'debugreg',
    eventCallback: 'event_callback_cs',
    failsafeCallback: 'failsafe_callback_cs',
  }),
  ['sizeof(vcpu_guest_context_t)', CONTEXT.size],
  ...Object.entries(USER_REGS).map(([name, at]): [string, number] => [
    `offsetof(cpu_user_regs_t, ${name})`,
    at,
  ]),
  ['VGCF_I387_VALID', VGCF_I387_VALID],
  ...all('GNTTABOP_', GNTTABOP),
  ...all('GNTMAP_', GNTMAP),
  ...all('GTF_', GTF),
  ...all('GNTST_', GNTST),
  ...['host_addr', 'flags', 'ref', 'dom', 'status', 'handle', 'dev_bus_addr'].map(
    (member, n): [string, number] => [
      `offsetof(struct gnttab_map_grant_ref, ${member})`,
      [0, 8, 12, 16, 18, 20, 24][n],
    ],
  ),
  ['sizeof(struct gnttab_map_grant_ref)', 32],
  ['offsetof(struct gnttab_unmap_grant_ref, handle)', 16],
  ['offsetof(struct gnttab_unmap_grant_ref, status)', 20],
  ['sizeof(struct gnttab_unmap_grant_ref)', 24],
  ['offsetof(struct gnttab_transfer, ref)', 8],
  ['offsetof(struct gnttab_transfer, status)', 12],
  ['sizeof(struct gnttab_transfer)', 16],
  ...all('VCPUOP_', VCPUOP, {
    getRunstateInfo: 'get_runstate_info',
    registerRunstateArea: 'register_runstate_memory_area',
    registerTimeArea: 'register_vcpu_time_memory_area',
  }),
];

describe.skipIf(missing)('Xen’s public headers', () => {
  it('give every number and every offset that we use', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-headers-'));
    try {
      const lines = EXPRESSIONS.map(([c]) => `  printf("%d\\n", (int)(${c}));`);
      const source = `#include <stdio.h>\n#include <stddef.h>\n#include <stdint.h>\n${HEADERS.map(
        (h) => `#include <xen/${h}.h>\n`,
      ).join('')}int main(void) {\n${lines.join('\n')}\n  return 0;\n}\n`;
      writeFileSync(join(folder, 'numbers.c'), source);
      const include = join('folder' in found ? found.folder : '', 'usr/include');
      const defines = ['-D__XEN_INTERFACE_VERSION__=0x00030205', '-D__XEN_TOOLS__'];
      const options = ['-m32', '-w', ...defines, '-I', include, '-o', 'numbers', 'numbers.c'];
      const gcc = spawnSync('gcc', options, { cwd: folder, encoding: 'utf8' });
      expect(gcc.stderr).toBe('');
      const { stdout } = spawnSync(join(folder, 'numbers'), { encoding: 'utf8' });
      const theirs = stdout.trim().split('\n').map(Number);
      expect(EXPRESSIONS.map(([c], n) => `${c} = ${theirs[n]}`)).toEqual(
        EXPRESSIONS.map(([c, ours]) => `${c} = ${ours}`),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

// Names of Xen's numbers (xen/include/public/xen.h), and of Microsoft's, for people who read a trace.

export const HYPERCALLS = [
  'set_trap_table',
  'mmu_update',
  'set_gdt',
  'stack_switch',
  'set_callbacks',
  'fpu_taskswitch',
  'sched_op_compat',
  'platform_op',
  'set_debugreg',
  'get_debugreg',
  'update_descriptor',
  'set_fast_trap',
  'memory_op',
  'multicall',
  'update_va_mapping',
  'set_timer_op',
  'event_channel_op_compat',
  'xen_version',
  'console_io',
  'physdev_op_compat',
  'grant_table_op',
  'vm_assist',
  'update_va_mapping_otherdomain',
  'iret',
  'vcpu_op',
  'set_segment_base',
  'mmuext_op',
  'xsm_op',
  'nmi_op',
  'sched_op',
  'callback_op',
  'xenoprof_op',
  'event_channel_op',
  'physdev_op',
  'hvm_op',
  'sysctl',
  'domctl',
  'kexec_op',
];

/** Microsoft's calls (Hypervisor Top-Level Functional Specification, app. A) are counted from here. */
const HYPER_V = 0x10000;
const HYPER_V_CALLS: Readonly<Record<number, string>> = {
  1: 'HvSwitchVirtualAddressSpace',
  2: 'HvFlushVirtualAddressSpace',
  3: 'HvFlushVirtualAddressList',
  8: 'HvNotifyLongSpinWait',
};

/** `mmu_update`, or the bare number when nobody named it. */
export function hypercallName(number: number): string {
  if (number >= HYPER_V) return HYPER_V_CALLS[number - HYPER_V] ?? `Hv call ${number - HYPER_V}`;
  return HYPERCALLS[number] ?? `hypercall ${number}`;
}

const ERRNO: Record<number, string> = {
  1: 'EPERM',
  3: 'ESRCH',
  12: 'ENOMEM',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  22: 'EINVAL',
  28: 'ENOSPC',
  38: 'ENOSYS',
  107: 'ENOTCONN',
};

/** A hypercall's result: `-EINVAL`, or the number. */
export function resultName(result: number): string {
  return result < 0 && result > -200 ? `-${ERRNO[-result] ?? -result}` : `${result}`;
}

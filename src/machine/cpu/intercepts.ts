// The one seam between the processor's instructions and virtualization silicon. VMX (and later SVM) implements it;
// the executors ask it *before* doing their work. `cpu.intercepts` is null outside guest mode, so bare code pays one test.
// A method that returns true has already performed the VM exit (guest state saved, host state loaded, cpu.eip = host RIP):
// the executor must then return at once without touching state. Order of checks against faults: SDM vol. 3 §25.1.1.

/** Instructions that exit by their mere execution, when the controls say so. */
export type InterceptedInstruction =
  | 'cpuid'
  | 'hlt'
  | 'invd'
  | 'wbinvd'
  | 'invlpg'
  | 'rdtsc'
  | 'rdpmc'
  | 'pause'
  | 'mwait'
  | 'monitor'
  | 'rsm'
  | 'getsec'
  | 'xsetbv'
  | 'vmcall'
  | 'vmclear'
  | 'vmlaunch'
  | 'vmptrld'
  | 'vmptrst'
  | 'vmread'
  | 'vmresume'
  | 'vmwrite'
  | 'vmxoff'
  | 'vmxon'
  | 'invept'
  | 'invvpid'
  | 'vmrun'
  | 'vmmcall'
  | 'vmload'
  | 'vmsave'
  | 'stgi'
  | 'clgi'
  | 'skinit'
  | 'invlpga'
  | 'pushf'
  | 'popf'
  | 'iret'
  | 'swint'
  | 'icebp'
  | 'ferr-freeze'
  | 'lgdt'
  | 'lidt'
  | 'lldt'
  | 'ltr'
  | 'sgdt'
  | 'sidt'
  | 'sldt'
  | 'str';

export interface Intercepts {
  /** @param operand linear address for invlpg, effective address for memory operands, vector for swint, else 0 */
  instruction(which: InterceptedInstruction, operand: number): boolean;
  /** MOV to CRn. May also return a value to store instead of exiting: see `maskCr`. */
  crWrite(cr: number, value: number, gpr: number): boolean;
  /** MOV from CRn that exits; SMSW counts as a read of CR0. */
  crRead(cr: number, gpr: number): boolean;
  clts(): boolean;
  lmsw(source: number): boolean;
  /** What a guest reads from CR0/CR4: host-owned bits come from the read shadow. */
  readCr(cr: 0 | 4): number;
  /** CR0/CR4 value that a permitted MOV really stores: host-owned bits keep their real value. */
  maskCr(cr: 0 | 4, value: number): number;
  drAccess(dr: number, write: boolean, gpr: number): boolean;
  io(
    port: number,
    size: 1 | 2 | 4,
    input: boolean,
    string: boolean,
    rep: boolean,
    immediate: boolean,
  ): boolean;
  msr(index: number, write: boolean): boolean;
  /** An exception is about to be delivered through the IDT. @param errorCode -1 when it has none. */
  exception(vector: number, errorCode: number, cr2: number): boolean;
  /** A maskable interrupt is pending at the pin and the processor looks. Called whatever IF is: the controls decide. True = exited. */
  externalInterrupt(): boolean;
  /** Whether a maskable interrupt that does not exit may be delivered; absent: when `open`. @param open the running program's IF says so, and no shadow holds it off */
  acceptsInterrupt?(open: boolean): boolean;
  nmi(): boolean;
  /** The interrupt (or NMI) window is open and somebody asked to be told. */
  window(): boolean;
  taskSwitch(selector: number, source: 0 | 1 | 2 | 3): boolean;
  tripleFault(): boolean;
  /** RDTSC value offset, in cycles. */
  tscOffset(): number;
  /** Whether INT n and IRET within the guest leave to nobody now, and nobody waits for the moment at which IF goes up; absent: somebody may. */
  transfersFreely?(): boolean;
  /** Whether MOV to CR3 and from it, and INVLPG, leave to nobody; absent: they may. */
  pagesFreely?(): boolean;
  /** Whether MOV from CR2 leaves to nobody; absent: it may. */
  readsCr2Freely?(): boolean;
  /** Delivery of this event through the IDT has begun (so a fault or exit inside it is reported as IDT-vectoring), or ended (valid = false). */
  vectoring(valid: boolean, vector: number, type: number, errorCode: number): void;
}

// Single flags, and the instructions that do nothing or stop.
// SDM vol. 2 CLC … STD, LAHF, SAHF, NOP, PAUSE, HLT, WAIT, UD2; "reserved NOP" space 0F 18..1F: vol. 2 appendix A.
import { hex, type Row, rows } from './row.ts';

/** 0F 18..1F: every /digit is a no-operation that still decodes its operand; NASM numbers them 0..63. 56 is NOP itself. */
const hints = Array.from({ length: 64 }, (_, n) => n)
  .filter((n) => n !== 56)
  .map((n) => `hint_nop${n} rmv  0F ${hex(0x18 + (n >> 3))} /${n & 7}`)
  .join('\n');

export const FLAGS: Row[] = rows(`
  # cmc | SDM 2A CMC | Inverts CF.
  cmc -  F5
  # clc | SDM 2A CLC | CF = 0.
  clc -  F8
  # stc | SDM 2B STC | CF = 1.
  stc -  F9
  # cli io | SDM 2A CLI | IF = 0: holds maskable interrupts off; #GP when CPL > IOPL.
  cli -  FA
  # sti io | SDM 2B STI | IF = 1 after the next instruction; #GP when CPL > IOPL.
  sti -  FB
  # cld | SDM 2A CLD | DF = 0: string instructions go upward.
  cld -  FC
  # std | SDM 2B STD | DF = 1: string instructions go downward.
  std -  FD
  # lahf | SDM 2A LAHF | Loads AH with SF ZF AF PF CF.
  lahf -  9F
  # sahf | SDM 2B SAHF | Stores AH to SF ZF AF PF CF.
  sahf -  9E
  # salc | APM 3 (undocumented by Intel) | AL = FF when CF=1, else 0.
  salc -  D6

  # nop | SDM 2B NOP | Does nothing.
  nop -    90
  nop rmv  0F 1F /0
  # pause | SDM 2B PAUSE | Does nothing, and tells the processor that this is a spin-wait loop.
  pause -  F3 90
  # hint-nop | SDM 2 appendix A (reserved NOP) | Does nothing here; later processors gave some of these a meaning.
  endbr32 -  F3 0F 1E FB
  ${hints}
  # fwait | SDM 2D WAIT/FWAIT | Waits for the coprocessor: #NM when CR0.MP and CR0.TS are both 1.
  fwait/wait -  9B
  # hlt privileged | SDM 2A HLT, SDM 3A §5.9 | Stops until an interrupt arrives; #GP at CPL > 0.
  hlt -  F4
  # ud2 | SDM 2B UD | Raises #UD, by definition and for ever.
  ud2/ud2a -  0F 0B
`);

// Moving data: mov in all its forms, sign and zero extension, exchange, far pointers, addresses, atomic updates, ports.
// SDM vol. 2 MOV, MOVZX, MOVSX, XCHG, LDS…, LEA, CMPXCHG, IN, OUT.
import { conditional, hex, type Row, rows } from './row.ts';

const conditionalMoves = Array.from({ length: 16 }, (_, cc) => {
  return `${conditional('cmov', cc)} rv,rmv  0F ${hex(0x40 + cc)} /r cc=${cc}`;
}).join('\n');

export const DATA_MOVEMENT: Row[] = rows(`
  # mov | SDM 2B MOV | Copies the source to the destination; no flag changes.
  mov al,moffs8  A0
  mov av,moffsv  A1
  mov moffs8,al  A2
  mov moffsv,av  A3
  mov rm8,r8     88 /r
  mov rmv,rv     89 /r
  mov r8,rm8     8A /r
  mov rv,rmv     8B /r
  mov r8+,imm8   B0
  mov rv+,immv   B8
  mov rm8,imm8   C6 /0
  mov rmv,immv   C7 /0

  # mov-from-sreg sensitive | SDM 2B MOV; Robin & Irvine 2000 | Copies a segment selector; bits 1:0 of CS and SS show the real privilege level, and nothing traps.
  mov m16,sreg   8C /r
  mov rrv,sreg   8C /r
  # mov-to-sreg sensitive | SDM 2B MOV, SDM 3A §5; Robin & Irvine 2000 | Loads a segment register from the descriptor tables, checked against the real privilege level; loading CS is #UD.
  mov sreg,rm16  8E /r
  mov sreg,rr32  8E /r

  # movzx | SDM 2B MOVZX | Copies a smaller operand and fills the upper bits with zeros.
  movzx rv,rm8   0F B6 /r
  movzx rv,rm16  0F B7 /r
  # movsx | SDM 2B MOVSX | Copies a smaller operand and fills the upper bits with its sign.
  movsx rv,rm8   0F BE /r
  movsx rv,rm16  0F BF /r
  # cmovcc | SDM 2A CMOVcc | Copies the source when the condition holds; the source is read in any case.
  ${conditionalMoves}

  # xchg | SDM 2D XCHG | Swaps two operands; with memory it locks the bus by itself.
  xchg av,rv+   90
  xchg rv+,av   90
  xchg r8,rm8   86 /r lock
  xchg rv,rmv   87 /r lock
  xchg rm8,r8   86 /r lock
  xchg rmv,rv   87 /r lock
  # bswap | SDM 2A BSWAP | Reverses the four bytes of a register.
  bswap r32+  0F C8 o32
  bswap r16+  0F C8 o16 decode-only
  # xlat | SDM 2D XLAT/XLATB | Looks AL up in the byte table at (E)BX.
  xlatb/xlat -  D7
  # cmpxchg | SDM 2A CMPXCHG | Stores the source when the accumulator equals the destination, else loads the accumulator; ZF tells which.
  cmpxchg rm8,r8  0F B0 /r lock
  cmpxchg rmv,rv  0F B1 /r lock
  # cmpxchg8b | SDM 2A CMPXCHG8B | Stores ECX:EBX when EDX:EAX equals the eight bytes in memory, else loads EDX:EAX; ZF tells which.
  cmpxchg8b m64   0F C7 /1 lock
  # xadd | SDM 2D XADD | Adds the source to the destination and leaves the old destination in the source.
  xadd rm8,r8  0F C0 /r lock
  xadd rmv,rv  0F C1 /r lock

  # lea | SDM 2A LEA | Computes the address of the memory operand without touching memory.
  lea rv,m  8D /r
  # load-far-pointer | SDM 2A LDS/LES/LFS/LGS/LSS; SDM 3A §5 | Loads a register and a segment register from a far pointer in memory.
  les rv,mfar  C4 /r
  lds rv,mfar  C5 /r
  lss rv,mfar  0F B2 /r
  lfs rv,mfar  0F B4 /r
  lgs rv,mfar  0F B5 /r
  # bound | SDM 2A BOUND | Raises #BR when a signed index lies outside the two bounds in memory.
  bound rv,mpair  62 /r

  # in io | SDM 2A IN; SDM 1 "I/O privilege level" | Reads an I/O port; #GP when CPL > IOPL and the TSS bitmap does not allow the port.
  in al,imm8  E4
  in av,imm8  E5
  in al,dx    EC
  in av,dx    ED
  # out io | SDM 2B OUT; SDM 1 "I/O privilege level" | Writes an I/O port; #GP when CPL > IOPL and the TSS bitmap does not allow the port.
  out imm8,al  E6
  out imm8,av  E7
  out dx,al    EE
  out dx,av    EF
`);

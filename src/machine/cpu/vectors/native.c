// Runs test cases on the processor underneath: reads cases from a file, executes each one's instructions in segments of its own
// (modify_ldt), and writes what came out. Build: gcc -m32 -O1. Layout of the records: case.ts.
//
// No assembly stubs: everything happens in the signal handler. A trap delivers all registers in the ucontext; the handler
// notes them, puts the next case's registers there and returns into it. Code is surrounded by INT3, so the next trap comes
// after exactly one instruction (or the program's last), wherever it went.
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

enum { CODE = 0x100000, DATA = 0x110000, STACK = 0x120000, LINEAR_FS = 0x110100, SEGMENT = 0x10000 };
enum { START = 0x800, WINDOW = 0x4000, BYTES = 128, MARGIN = 512 };
enum { CS32, CS16, DS32, SS32, SS16, FS32, READ_ONLY, EXPAND_DOWN, EXECUTE_ONLY, CONFORMING, NOT_PRESENT };
enum { CODE16 = 1, STACK16 = 2 };

typedef struct {
  uint8_t mode, length, reserved[2];
  uint8_t code[96];
  uint32_t regs[8], flags;
  uint8_t data[BYTES], stack[BYTES];
} Case;

typedef struct {
  uint32_t vector, error;
  uint32_t regs[8], eip, flags;
  uint16_t segments[6];
  uint8_t data[BYTES], stack[BYTES];
} Outcome;

static const int ORDER[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
static const int SEGMENTS[6] = {REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS};
static const uint32_t STATUS = 0xcd5;

static FILE *in, *out;
static Case current;
static int running;
/** What the C library keeps in GS; a case has something else there. */
static uint16_t library_gs;
static uint8_t alternate[65536];

static uint32_t selector(int entry) { return entry << 3 | 7; }

static void begin(greg_t *g) {
  if (fread(&current, sizeof current, 1, in) != 1) {
    fclose(out);
    _exit(0);
  }
  memset((void *)CODE, 0xcc, SEGMENT);
  memcpy((void *)(CODE + START), current.code, current.length);
  for (unsigned base = DATA; base <= STACK; base += STACK - DATA) {
    memset((void *)base, 0, MARGIN);
    memset((void *)(base + SEGMENT - MARGIN), 0, MARGIN);
  }
  memcpy((void *)(DATA + WINDOW), current.data, BYTES);
  memcpy((void *)(STACK + WINDOW), current.stack, BYTES);
  for (int r = 0; r < 8; r++) g[ORDER[r]] = current.regs[r];
  g[REG_EIP] = START;
  g[REG_EFL] = 0x202 | (current.flags & STATUS);
  g[REG_CS] = selector(current.mode & CODE16 ? CS16 : CS32);
  g[REG_SS] = selector(current.mode & STACK16 ? SS16 : SS32);
  g[REG_DS] = g[REG_ES] = selector(DS32);
  g[REG_FS] = g[REG_GS] = selector(FS32);
}

static void finish(greg_t *g) {
  Outcome o;
  memset(&o, 0, sizeof o);
  o.vector = g[REG_TRAPNO];
  o.error = g[REG_ERR];
  for (int r = 0; r < 8; r++) o.regs[r] = g[ORDER[r]];
  o.eip = g[REG_EIP] - (o.vector == 3);
  o.flags = g[REG_EFL] & STATUS;
  for (int s = 0; s < 6; s++) o.segments[s] = g[SEGMENTS[s]];
  memcpy(o.data, (void *)(DATA + WINDOW), BYTES);
  memcpy(o.stack, (void *)(STACK + WINDOW), BYTES);
  if (fwrite(&o, sizeof o, 1, out) != 1) _exit(3);
}

static void handler(int number, siginfo_t *info, void *context) {
  __asm__ volatile("mov %0, %%gs" ::"r"(library_gs));
  // NT, which a POPF of a case may have set, is not the signal frame's to restore.
  __asm__ volatile("pushf; andl $~0x4000, (%%esp); popf" ::: "cc", "memory");
  (void)number, (void)info;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (running) finish(g);
  running = 1;
  begin(g);
}

enum { DATA_SEGMENT, DOWN_SEGMENT, CODE_SEGMENT, CONFORMING_SEGMENT };

/** One descriptor. `restricted`: data that cannot be written, code that cannot be read. */
static void segment(int entry, uint32_t base, int is32, int contents, int restricted, int absent) {
  struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = SEGMENT - 1, .seg_32bit = is32, .contents = contents};
  d.read_exec_only = restricted;
  d.seg_not_present = absent;
  if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) {
    perror("modify_ldt");
    exit(2);
  }
}

static void map(uint32_t base) {
  if (mmap((void *)base, SEGMENT, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
    perror("mmap");
    exit(2);
  }
}

int main(int argc, char **argv) {
  if (argc != 3 || !(in = fopen(argv[1], "rb")) || !(out = fopen(argv[2], "wb"))) {
    fprintf(stderr, "usage: native CASES OUTCOMES\n");
    return 1;
  }
  map(CODE);
  map(DATA);
  map(STACK);
  segment(CS32, CODE, 1, CODE_SEGMENT, 0, 0);
  segment(CS16, CODE, 0, CODE_SEGMENT, 0, 0);
  segment(DS32, DATA, 1, DATA_SEGMENT, 0, 0);
  segment(SS32, STACK, 1, DATA_SEGMENT, 0, 0);
  segment(SS16, STACK, 0, DATA_SEGMENT, 0, 0);
  segment(FS32, LINEAR_FS, 1, DATA_SEGMENT, 0, 0);
  segment(READ_ONLY, DATA, 1, DATA_SEGMENT, 1, 0);
  segment(EXPAND_DOWN, DATA, 1, DOWN_SEGMENT, 0, 0);
  segment(EXECUTE_ONLY, CODE, 1, CODE_SEGMENT, 1, 0);
  segment(CONFORMING, CODE, 1, CONFORMING_SEGMENT, 0, 1); // Linux gives it only when it is not present.
  segment(NOT_PRESENT, DATA, 1, DATA_SEGMENT, 0, 1);
  __asm__ volatile("mov %%gs, %0" : "=r"(library_gs));
  // A case may have any ESP, also one that looks as if a signal were being handled already: hence AUTODISARM.
  stack_t s = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = (int)SS_AUTODISARM};
  sigaltstack(&s, 0);
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  int signals[] = {SIGTRAP, SIGFPE, SIGSEGV, SIGBUS, SIGILL};
  for (unsigned k = 0; k < sizeof signals / sizeof *signals; k++) sigaction(signals[k], &a, 0);
  __asm__ volatile("int3");
  return 4;
}

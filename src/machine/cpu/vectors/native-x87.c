// Runs x87, MMX and SSE instructions on the processor underneath: loads a whole FXSAVE image, executes the instructions of a
// case, whose memory operand is [ebx] (and [edi]), and saves the image that came out. Build: gcc -m32 -O1. Layout of the records: x87-case.ts.
//
// An instruction that faults never gets to the FXSAVE by itself: the signal handler notes the vector and goes on behind it.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { BYTES = 128, IMAGE = 512 };

typedef struct {
  uint32_t length;
  uint8_t code[16];
  uint32_t eax, flags;
  uint8_t image[IMAGE];
  uint8_t memory[BYTES];
} Case;

typedef struct {
  uint32_t vector, eax, flags;
  uint8_t image[IMAGE];
  uint8_t memory[BYTES];
} Outcome;

/** What the generated code addresses: everything at fixed offsets from EBX. */
typedef struct {
  uint8_t memory[BYTES];
  uint8_t before[IMAGE];
  uint8_t after[IMAGE];
  uint32_t eax, flags, vector;
} Place;

static Place *place;
static uint8_t *code;
static uint32_t resume;
static uint8_t alternate[65536];

static uint8_t *put(uint8_t *p, const void *bytes, unsigned count) {
  memcpy(p, bytes, count);
  return p + count;
}
static uint8_t *put32(uint8_t *p, uint32_t value) { return put(p, &value, 4); }

static void handler(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  place->vector = g[REG_TRAPNO];
  g[REG_EIP] = resume;
}

static void run(const Case *c) {
  uint8_t *p = code;
  p = put(p, "\x60\x9c\xbb", 3); // pusha; pushf; mov ebx, place
  p = put32(p, (uint32_t)place);
  p = put(p, "\x89\xdf", 2); // mov edi, ebx
  p = put(p, "\x0f\xae\x8b", 3); // fxrstor [ebx+before]
  p = put32(p, (uint32_t)((uint8_t *)place->before - (uint8_t *)place));
  p = put(p, "\x68", 1); // push flags; popf
  p = put32(p, c->flags);
  p = put(p, "\x9d\xb8", 2); // mov eax, …
  p = put32(p, c->eax);
  p = put(p, c->code, c->length);
  resume = (uint32_t)p;
  p = put(p, "\x0f\xae\x83", 3); // fxsave [ebx+after]
  p = put32(p, (uint32_t)((uint8_t *)place->after - (uint8_t *)place));
  p = put(p, "\x89\x83", 2); // mov [ebx+eax], eax
  p = put32(p, (uint32_t)((uint8_t *)&place->eax - (uint8_t *)place));
  p = put(p, "\x9c\x8f\x83", 3); // pushf; pop [ebx+flags]
  p = put32(p, (uint32_t)((uint8_t *)&place->flags - (uint8_t *)place));
  p = put(p, "\xdb\xe3\x9d\x61\xc3", 5); // fninit; popf; popa; ret
  memcpy(place->before, c->image, IMAGE);
  memset(place->after, 0, IMAGE);
  memcpy(place->memory, c->memory, BYTES);
  place->vector = 0;
  ((void (*)(void))code)();
}

int main(int argc, char **argv) {
  FILE *in, *out;
  if (argc != 3 || !(in = fopen(argv[1], "rb")) || !(out = fopen(argv[2], "wb"))) {
    fprintf(stderr, "usage: native-x87 CASES OUTCOMES\n");
    return 1;
  }
  code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  place = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED || place == MAP_FAILED) return 2;
  stack_t s = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&s, 0);
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};
  for (unsigned k = 0; k < sizeof signals / sizeof *signals; k++) sigaction(signals[k], &a, 0);
  Case c;
  while (fread(&c, sizeof c, 1, in) == 1) {
    Outcome o;
    run(&c);
    o.vector = place->vector;
    o.eax = place->eax;
    o.flags = place->flags;
    memcpy(o.image, place->after, IMAGE);
    memcpy(o.memory, place->memory, BYTES);
    if (fwrite(&o, sizeof o, 1, out) != 1) return 3;
  }
  return fclose(out);
}

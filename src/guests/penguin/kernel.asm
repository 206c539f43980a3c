; All of Penguin but its architecture layer, in reading order. The two builds, penguin-native.asm and penguin-xen.asm,
; each include a layer of their own and then this file.

%include "boot.asm"             ; kernel_main: the whole start of the system on one page
%include "print.asm"            ; text and numbers to the console or into a buffer; panic
%include "memory.asm"           ; page frames and their reference counts
%include "paging.asm"           ; address spaces: map, fork with copy-on-write, release
%include "faults.asm"           ; page faults: demand-zero, copy-on-write, errors
%include "traps.asm"            ; exceptions in, and the one way out of the kernel
%include "user-memory.asm"      ; reading and writing a program's memory without trusting it
%include "syscalls.asm"         ; INT 0x80 and the table of calls
%include "scheduler.asm"        ; who runs next; the clock tick; idle
%include "processes.asm"        ; fork, exit, waitpid, kill, sleep
%include "exec.asm"             ; execve: a program from the ramfs becomes a process
%include "console.asm"          ; the terminal: input queue, output, Ctrl-C
%include "files.asm"            ; open, read, write, close, lseek, readdir
%include "ramfs.asm"            ; the read-only file system
%include "proc.asm"             ; files that are made up when they are read: /proc
%include "programs.asm"         ; the user programs, assembled into the image

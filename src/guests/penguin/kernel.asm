; All of Penguin but its architecture layer, in reading order. The two builds, penguin-native.asm and penguin-xen.asm,
; each include a layer of their own and then this file.

%include "penguin/boot.asm"             ; kernel_main: the whole start of the system on one page
%include "penguin/print.asm"            ; text and numbers to the console or into a buffer; panic
%include "penguin/memory.asm"           ; page frames and their reference counts
%include "penguin/paging.asm"           ; address spaces: map, fork with copy-on-write, release
%include "penguin/faults.asm"           ; page faults: demand-zero, copy-on-write, errors
%include "penguin/traps.asm"            ; exceptions in, and the one way out of the kernel
%include "penguin/user-memory.asm"      ; reading and writing a program's memory without trusting it
%include "penguin/syscalls.asm"         ; INT 0x80 and the table of calls
%include "penguin/scheduler.asm"        ; who runs next; the clock tick; idle
%include "penguin/processes.asm"        ; fork, exit, waitpid, kill, sleep
%include "penguin/exec.asm"             ; execve: a program from the ramfs becomes a process
%include "penguin/console.asm"          ; the terminal: input queue, output, Ctrl-C
%ifdef CONTAINERS
%include "penguin/containers/containers.asm"
%endif
%include "penguin/drivers/store.asm"    ; Xen's split devices: where they are found,
%include "penguin/drivers/xen.asm"      ; ... what their drivers share,
%include "penguin/drivers/clock.asm"    ; Xen's clock,
%include "penguin/drivers/balloon.asm"  ; ... memory given back to it, and got again,
%include "penguin/drivers/disk.asm"     ; ... a disk,
%include "penguin/drivers/net.asm"      ; ... a network interface,
%include "penguin/drivers/devices.asm"  ; ... and the task that looks after them
%include "penguin/files.asm"            ; open, read, write, close, lseek, readdir
%include "penguin/ramfs.asm"            ; the read-only file system
%include "penguin/proc.asm"             ; files that are made up when they are read: /proc
%include "penguin/programs.asm"         ; the user programs, assembled into the image

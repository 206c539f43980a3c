; The user programs. Each is one label, and all it contains is local to that label; so each has a copy of the library,
; like a statically linked program. Here they are only data: execve copies them to USER_BASE, where they run. That is why
; a program names its data with here(label): the address that the label will have, not the one it has in this image.

%define here(label) (label - program + USER_BASE)

        section .data
%include "programs/hello.asm"
%include "programs/init.asm"
%include "programs/sh.asm"
%include "programs/cat.asm"
%include "programs/ls.asm"
%include "programs/echo.asm"
%include "programs/help.asm"
%include "programs/ps.asm"
%include "programs/uptime.asm"
%include "programs/uname.asm"
%include "programs/date.asm"
%include "programs/sleep.asm"
%include "programs/kill.asm"
%include "programs/memory.asm"
%include "programs/forkwait.asm"
%include "programs/primes.asm"
%include "programs/syscalls.asm"
%include "programs/crash.asm"
%include "programs/reboot.asm"
%include "programs/halt.asm"
        section .text

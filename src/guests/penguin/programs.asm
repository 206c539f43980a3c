; The user programs. Each is one label, and all it contains is local to that label; so each has a copy of the library,
; like a statically linked program. Here they are only data: execve copies them to USER_BASE, where they run. That is
; why a program names its data with here(label): the address that the label will have, not the one it has here.

%define here(label) (label - program + USER_BASE)

        section .data
%include "penguin/programs/hello.asm"
%include "penguin/programs/init.asm"
%include "penguin/programs/sh.asm"
%include "penguin/programs/cat.asm"
%include "penguin/programs/ls.asm"
%include "penguin/programs/balloon.asm"
%include "penguin/programs/disk.asm"
%include "penguin/programs/ping.asm"
%include "penguin/programs/echo.asm"
%include "penguin/programs/help.asm"
%include "penguin/programs/ps.asm"
%include "penguin/programs/uptime.asm"
%include "penguin/programs/uname.asm"
%include "penguin/programs/date.asm"
%include "penguin/programs/sleep.asm"
%include "penguin/programs/kill.asm"
%include "penguin/programs/memory.asm"
%include "penguin/programs/forkwait.asm"
%include "penguin/programs/lmbench.asm"
%include "penguin/programs/build.asm"
%include "penguin/programs/heartbeat.asm"
%include "penguin/programs/primes.asm"
%include "penguin/programs/syscalls.asm"
%include "penguin/programs/crash.asm"
%include "penguin/programs/reboot.asm"
%include "penguin/programs/halt.asm"
%ifdef CONTAINERS
%include "penguin/programs/vz.asm"
%endif
%ifdef CLASSES
%include "exercisers/classes/program.asm"
%endif
        section .text

; The file system: a table of names in the kernel's own memory. It is read-only and flat; a directory is a name that
; others begin with. Names are stored without the slash at the front.

NODE_DIRECTORY      equ 0
NODE_FILE           equ 1               ; text
NODE_PROGRAM        equ 2               ; a flat image for USER_BASE
NODE_CONSOLE        equ 3
NODE_PROC           equ 4               ; NODE_DATA is a routine that prints the contents
NODE_DISK           equ 5               ; devices: NODE_DATA is the address of a byte that is 0 when there is none
NODE_NET            equ 6

NODE_NAME           equ 0
NODE_KIND           equ 4
NODE_DATA           equ 8
NODE_SIZE           equ 12
NODE_RECORD         equ 16

        section .text
; ESI = path. EAX = its node, or 0 (and the zero flag says so). Keeps ESI.
find_node:
        push    ebx
        push    esi
        push    edi
        cmp     byte [esi], '/'
        jne     .stripped
        inc     esi
.stripped:
        mov     ebx, nodes
.node:
%ifdef CONTAINERS
        xchg    esi, ebx
        mov     edi, esi
        call    node_visible
        xchg    esi, edi
        xchg    esi, ebx
        jc      .next
%else
        mov     edi, [ebx + NODE_NAME]
%endif
        mov     edx, esi
.compare:
        mov     al, [edi]
        cmp     al, [edx]
        jne     .differ
        inc     edi
        inc     edx
        test    al, al
        jnz     .compare
.found: mov     eax, ebx
        jmp     .done
.differ:
        test    al, al                  ; the name ends here: a slash may still follow
        jnz     .next
        cmp     word [edx], '/'
        je      .found
.next:  add     ebx, NODE_RECORD
        cmp     ebx, nodes_end
        jb      .node
        xor     eax, eax
.done:  pop     edi
        pop     esi
        pop     ebx
        test    eax, eax
        ret

; ESI = node: ESI = its contents, ECX = their size. Contents that are made up stay until the next call.
node_contents:
        cmp     dword [esi + NODE_KIND], NODE_PROC
        je      proc_contents
        cmp     dword [esi + NODE_KIND], NODE_DISK
        je      .disk
        mov     ecx, [esi + NODE_SIZE]
        mov     esi, [esi + NODE_DATA]
        ret
.disk:  mov     ecx, [disk_sectors]
        shl     ecx, 9
        ret

; ESI = node, EBX = directory: ESI = the node's name inside that directory, or 0 when it is not there. Keeps EAX.
node_name_in:
%ifdef CONTAINERS
        call    node_first              ; hidden by a file of the container's own, or by being another's
        jc      node_not_here
%else
        mov     esi, [esi + NODE_NAME]
%endif
        push    eax
        mov     edx, [ebx + NODE_NAME]
        cmp     byte [edx], 0
        je      .inside                 ; the root
.prefix:
        mov     al, [edx]
        test    al, al
        jz      .slash
        cmp     al, [esi]
        jne     .outside
        inc     edx
        inc     esi
        jmp     .prefix
.slash: cmp     byte [esi], '/'
        jne     .outside
        inc     esi
.inside:
        mov     edx, esi
.deeper:
        mov     al, [edx]
        inc     edx
        cmp     al, '/'
        je      .outside                ; in a directory below
        test    al, al
        jnz     .deeper
        cmp     byte [esi], 0
        jne     .done
.outside:
        xor     esi, esi
.done:  pop     eax
        ret

%ifdef CONTAINERS
node_not_here:
        xor     esi, esi
        ret

; ESI = node: its name as the current container sees it; carry when it sees another node by that name, or none.
node_first:
        push    eax
        push    edi
        mov     edi, esi
        call    node_visible
        jc      .done
        call    find_node
        cmp     eax, edi
        je      .done                   ; equal: no carry
        stc
.done:  pop     edi
        pop     eax
        ret
%endif

        section .data
        align   4
; name, kind, contents, size
nodes:
%ifdef CONTAINERS
        dd      name_motd_1, NODE_FILE, motd_1, motd_2 - motd_1
        dd      name_motd_2, NODE_FILE, motd_2, motd_3 - motd_2
        dd      name_motd_3, NODE_FILE, motd_3, motd_3_end - motd_3
        dd      name_vz, NODE_PROGRAM, vz_program, vz_program_end - vz_program
        dd      name_limits, NODE_PROC, proc_limits, 0
%endif
%ifdef CLASSES
        dd      name_classes, NODE_PROGRAM, classes_program, classes_program_end - classes_program
%endif
        dd      name_root, NODE_DIRECTORY, 0, 0
        dd      name_bin, NODE_DIRECTORY, 0, 0
        dd      name_dev, NODE_DIRECTORY, 0, 0
        dd      name_etc, NODE_DIRECTORY, 0, 0
        dd      name_proc, NODE_DIRECTORY, 0, 0
        dd      name_build, NODE_PROGRAM, build_program, build_program_end - build_program
        dd      name_balloon, NODE_PROGRAM, balloon_program, balloon_program_end - balloon_program
        dd      name_cat, NODE_PROGRAM, cat_program, cat_program_end - cat_program
        dd      name_crash, NODE_PROGRAM, crash_program, crash_program_end - crash_program
        dd      name_date, NODE_PROGRAM, date_program, date_program_end - date_program
        dd      name_disk, NODE_PROGRAM, disk_program, disk_program_end - disk_program
        dd      name_echo, NODE_PROGRAM, echo_program, echo_program_end - echo_program
        dd      name_forkwait, NODE_PROGRAM, forkwait_program, forkwait_program_end - forkwait_program
        dd      name_halt, NODE_PROGRAM, halt_program, halt_program_end - halt_program
        dd      name_hello, NODE_PROGRAM, hello_program, hello_program_end - hello_program
        dd      name_heartbeat, NODE_PROGRAM, heartbeat_program, heartbeat_program_end - heartbeat_program
        dd      name_help, NODE_PROGRAM, help_program, help_program_end - help_program
        dd      name_init, NODE_PROGRAM, init_program, init_program_end - init_program
        dd      name_kill, NODE_PROGRAM, kill_program, kill_program_end - kill_program
        dd      name_lmbench, NODE_PROGRAM, lmbench_program, lmbench_program_end - lmbench_program
        dd      name_ls, NODE_PROGRAM, ls_program, ls_program_end - ls_program
        dd      name_memory, NODE_PROGRAM, memory_program, memory_program_end - memory_program
        dd      name_ping, NODE_PROGRAM, ping_program, ping_program_end - ping_program
        dd      name_primes, NODE_PROGRAM, primes_program, primes_program_end - primes_program
        dd      name_ps, NODE_PROGRAM, ps_program, ps_program_end - ps_program
        dd      name_reboot, NODE_PROGRAM, reboot_program, reboot_program_end - reboot_program
        dd      name_sh, NODE_PROGRAM, sh_program, sh_program_end - sh_program
        dd      name_sleep, NODE_PROGRAM, sleep_program, sleep_program_end - sleep_program
        dd      name_syscalls, NODE_PROGRAM, syscalls_program, syscalls_program_end - syscalls_program
        dd      name_uname, NODE_PROGRAM, uname_program, uname_program_end - uname_program
        dd      name_uptime, NODE_PROGRAM, uptime_program, uptime_program_end - uptime_program
console_node:
        dd      name_console, NODE_CONSOLE, 0, 0
        dd      name_disk_device, NODE_DISK, disk_open, 0
        dd      name_net_device, NODE_NET, net_open, 0
        dd      name_help_text, NODE_FILE, help_text, help_text_end - help_text
        dd      name_motd, NODE_FILE, motd, motd_end - motd
        dd      name_rings, NODE_FILE, rings, rings_end - rings
        dd      name_balloon_file, NODE_PROC, proc_balloon, 0
        dd      name_meminfo, NODE_PROC, proc_meminfo, 0
        dd      name_processes, NODE_PROC, proc_processes, 0
        dd      name_uptime_file, NODE_PROC, proc_uptime, 0
        dd      name_version, NODE_PROC, proc_version, 0
nodes_end:
NODES   equ     (nodes_end - nodes) / NODE_RECORD

%ifdef CONTAINERS
name_motd_1:        db "ve1/etc/motd", 0
name_motd_2:        db "ve2/etc/motd", 0
name_motd_3:        db "ve3/etc/motd", 0
name_vz:            db "bin/vz", 0
name_limits:        db "proc/limits", 0
motd_1: db      "Welcome to container 1. /proc/limits says what it may have.", 10
motd_2: db      "Welcome to container 2. /proc/limits says what it may have.", 10
motd_3: db      "Welcome to container 3. /proc/limits says what it may have.", 10
motd_3_end:
%endif
%ifdef CLASSES
name_classes:       db "bin/classes", 0
%endif
name_root:          db 0
name_bin:           db "bin", 0
name_dev:           db "dev", 0
name_etc:           db "etc", 0
name_proc:          db "proc", 0
name_build:         db "bin/build", 0
name_balloon:       db "bin/balloon", 0
name_cat:           db "bin/cat", 0
name_crash:         db "bin/crash", 0
name_date:          db "bin/date", 0
name_disk:          db "bin/disk", 0
name_echo:          db "bin/echo", 0
name_forkwait:      db "bin/forkwait", 0
name_halt:          db "bin/halt", 0
name_hello:         db "bin/hello", 0
name_heartbeat:     db "bin/heartbeat", 0
name_help:          db "bin/help", 0
name_init:          db "bin/init", 0
name_kill:          db "bin/kill", 0
name_lmbench:       db "bin/lmbench", 0
name_ls:            db "bin/ls", 0
name_memory:        db "bin/memory", 0
name_ping:          db "bin/ping", 0
name_primes:        db "bin/primes", 0
name_ps:            db "bin/ps", 0
name_reboot:        db "bin/reboot", 0
name_sh:            db "bin/sh", 0
name_sleep:         db "bin/sleep", 0
name_syscalls:      db "bin/syscalls", 0
name_uname:         db "bin/uname", 0
name_uptime:        db "bin/uptime", 0
name_console:       db "dev/console", 0
name_disk_device:   db "dev/disk", 0
name_net_device:    db "dev/net", 0
name_help_text:     db "etc/help", 0
name_motd:          db "etc/motd", 0
name_rings:         db "etc/rings", 0
name_balloon_file:  db "proc/balloon", 0
name_meminfo:       db "proc/meminfo", 0
name_processes:     db "proc/ps", 0
name_uptime_file:   db "proc/uptime", 0
name_version:       db "proc/version", 0

motd:   db      "Welcome to Penguin. Type help for the list of commands.", 10
motd_end:

help_text:
        db      "help             this text              ps          processes", 10
        db      "ls [DIRECTORY]   files                  cat FILE    a file's text (try /etc/rings)", 10
        db      "uptime           time since boot        date        seconds since 1970", 10
        db      "uname            the system's name      memory [N]  frames; or touch N KiB of heap", 10
        db      "echo TEXT        says TEXT              hello       the smallest program", 10
        db      "forkwait N       N times fork and wait  primes N    counts the primes up to N", 10
        db      "syscalls N       N times getpid         sleep N     waits N seconds", 10
        db      "lmbench          what kernels cost      build N     compiles N units, or does as if", 10
        db      "crash [HOW]      breaks a rule: write read kernel divide cli opcode", 10
        db      "heartbeat &      a small process twenty times a second", 10
        db      "disk [read N]    a disk's size, a sector    disk write N T  writes text T to sector N", 10
        db      "ping [N]         an echo from domain N   balloon     memory that Xen has had back", 10
        db      "kill PID         ends a process         COMMAND &   does not wait for the command", 10
        db      "reboot           starts again           halt        the end", 10
        db      "Ctrl-C ends what the shell is waiting for, Ctrl-U clears the line.", 10
help_text_end:

rings:  db      "The processor has four rings. Ring 0 may do everything, ring 3 almost nothing.", 10
        db      "On the bare machine this kernel lives in ring 0 and its programs in ring 3.", 10
        db      "On Xen, ring 0 is taken: the kernel moves to ring 1 and has to ask.", 10
rings_end:

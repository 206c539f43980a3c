; System calls on files. An open file is a slot in the process record: a node of the ramfs and a position in it. Slots
; are copied by fork and kept by execve. Everything is read-only but the console.

        section .text
; EAX = file number: EDI = its slot, or EAX = -EBADF with the sign flag.
file_slot:
        cmp     eax, MAX_FILES
        jae     .bad
        mov     edi, [current]
        lea     edi, [edi + PROCESS_FILES + eax * FILE_SIZE]
        cmp     dword [edi + FILE_NODE], 0
        je      .bad
        xor     eax, eax
        ret
.bad:   mov     eax, -EBADF
        test    eax, eax
        ret

; open(path, flags, mode) -> file
sys_open:
        push    ebx
        push    esi
        push    edi
        sub     esp, PATH_SIZE
        mov     esi, [ebp + FRAME_EBX]
        mov     edi, esp
        mov     ecx, PATH_SIZE
        call    copy_text_from_user
        test    eax, eax
        js      .done
        mov     esi, esp
        call    find_node
        mov     ebx, eax
        mov     eax, -ENOENT
        jz      .done
        test    byte [ebp + FRAME_ECX], 3       ; O_WRONLY, O_RDWR
        jz      .slot
        mov     eax, -EROFS
        cmp     dword [ebx + NODE_KIND], NODE_CONSOLE
        je      .slot
        cmp     dword [ebx + NODE_KIND], NODE_DISK
        jb      .done
.slot:  cmp     dword [ebx + NODE_KIND], NODE_DISK
        jb      .there
        mov     eax, [ebx + NODE_DATA]  ; a device says there whether we have it
        cmp     byte [eax], 0
        mov     eax, -ENXIO
        je      .done
.there: xor     eax, eax
        mov     edi, [current]
        add     edi, PROCESS_FILES
.look:  cmp     dword [edi + FILE_NODE], 0
        je      .found
        add     edi, FILE_SIZE
        inc     eax
        cmp     eax, MAX_FILES
        jb      .look
        mov     eax, -EMFILE
        jmp     .done
.found: mov     [edi + FILE_NODE], ebx
        mov     dword [edi + FILE_OFFSET], 0
.done:  add     esp, PATH_SIZE
        pop     edi
        pop     esi
        pop     ebx
        ret

; close(file)
sys_close:
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     [edi + FILE_NODE], eax
.done:  pop     edi
        ret

; read(file, buffer, count) -> bytes
sys_read:
        push    ebx
        push    esi
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     esi, [edi + FILE_NODE]
        cmp     dword [esi + NODE_KIND], NODE_CONSOLE
        je      .console
        cmp     dword [esi + NODE_KIND], NODE_DISK
        je      .disk
        ja      .net
        mov     eax, -EISDIR
        cmp     dword [esi + NODE_KIND], NODE_DIRECTORY
        je      .done
        call    node_contents           ; ESI = contents, ECX = size
        mov     ebx, [edi + FILE_OFFSET]
        sub     ecx, ebx
        jbe     .end_of_file
        add     esi, ebx
        cmp     ecx, [ebp + FRAME_EDX]
        jbe     .copy
        mov     ecx, [ebp + FRAME_EDX]
.copy:  mov     ebx, ecx
        push    edi
        mov     edi, [ebp + FRAME_ECX]
        call    copy_to_user
        pop     edi
        test    eax, eax
        js      .done
        add     [edi + FILE_OFFSET], ebx
        mov     eax, ebx
        jmp     .done
.end_of_file:
        xor     eax, eax
        jmp     .done
.disk:  call    disk_read
        jmp     .done
.net:   call    net_read
        jmp     .done
.console:
        call    console_read
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; write(file, buffer, count) -> bytes
sys_write:
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     ecx, [edi + FILE_NODE]
        mov     eax, -EBADF
        cmp     dword [ecx + NODE_KIND], NODE_DISK
        je      .disk
        ja      .net
        cmp     dword [ecx + NODE_KIND], NODE_CONSOLE
        jne     .done
        call    console_write
        jmp     .done
.disk:  call    disk_write
        jmp     .done
.net:   call    net_write
.done:  pop     edi
        ret

; fsync(file): what was written to a disk is on its medium when this comes back.
sys_fsync:
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     edi, [edi + FILE_NODE]
        cmp     dword [edi + NODE_KIND], NODE_DISK
        jne     .done                   ; for everything else there is nothing to do
        call    disk_take
        mov     eax, BLKIF_FLUSH
        xor     edx, edx
        mov     ecx, 1
        call    disk_request
        call    disk_give
.done:  pop     edi
        ret

; lseek(file, offset, whence) -> position
sys_lseek:
        push    esi
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     esi, [edi + FILE_NODE]
        mov     eax, [ebp + FRAME_EDX]
        mov     edx, [ebp + FRAME_ECX]
        cmp     eax, SEEK_SET
        je      .set
        cmp     eax, SEEK_CUR
        je      .relative
        cmp     eax, SEEK_END
        jne     .invalid
        push    edx
        call    node_contents
        pop     edx
        add     edx, ecx
        jmp     .set
.relative:
        add     edx, [edi + FILE_OFFSET]
.set:   test    edx, edx
        js      .invalid
        mov     [edi + FILE_OFFSET], edx
        mov     eax, edx
        jmp     .done
.invalid:
        mov     eax, -EINVAL
.done:  pop     edi
        pop     esi
        ret

; readdir(file, address of old_linux_dirent, ignored) -> 1, or 0 at the end
sys_readdir:
        push    ebx
        push    esi
        push    edi
        mov     eax, [ebp + FRAME_EBX]
        call    file_slot
        js      .done
        mov     ebx, [edi + FILE_NODE]
        mov     eax, -ENOTDIR
        cmp     dword [ebx + NODE_KIND], NODE_DIRECTORY
        jne     .done
.next:  mov     eax, [edi + FILE_OFFSET]
        cmp     eax, NODES
        jae     .end
        inc     dword [edi + FILE_OFFSET]
        imul    esi, eax, NODE_RECORD
        add     esi, nodes
        call    node_name_in            ; ESI = name of the node within directory EBX, or 0
        test    esi, esi
        jz      .next
        mov     edi, dirent
        mov     [edi + DIRENT_INODE], eax
        mov     [edi + DIRENT_OFFSET], eax
        add     edi, DIRENT_NAME
        xor     ecx, ecx
.copy:  lodsb
        stosb
        inc     ecx
        test    al, al
        jnz     .copy
        lea     eax, [ecx - 1]
        mov     [dirent + DIRENT_LENGTH], ax
        add     ecx, DIRENT_NAME
        mov     esi, dirent
        mov     edi, [ebp + FRAME_ECX]
        call    copy_to_user
        test    eax, eax
        js      .done
        mov     eax, 1
        jmp     .done
.end:   xor     eax, eax
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

        section .bss
dirent: resb    DIRENT_NAME + PATH_SIZE

; The front end of a virtual disk. One request at a time, of up to a page: whoever comes second waits. The data pass
; through a page of ours that the back end may use. Xen public headers: io/blkif.h, in the layout of i386.

SECTOR_SIZE         equ 512
DISK_PAGE_SECTORS   equ PAGE_SIZE / SECTOR_SIZE

BLKIF_READ          equ 0
BLKIF_WRITE         equ 1
BLKIF_FLUSH         equ 3
BLKIF_REQUESTS      equ 32              ; entries of the ring
BLKIF_SIZE          equ 108             ; of an entry: the request, which is larger than the response
BLKIF_OPERATION     equ 0               ; 8 bits
BLKIF_SEGMENTS      equ 1               ; 8 bits: how many
BLKIF_ID            equ 4               ; 64 bits, given back in the response
BLKIF_SECTOR        equ 12              ; 64 bits
BLKIF_GRANT         equ 20              ; the first segment: reference,
BLKIF_FIRST         equ 24              ; first sector of the page, 8 bits,
BLKIF_LAST          equ 25              ; and last one
BLKIF_STATUS        equ 10              ; of a response: 16 bits, 0 = well

        section .text
; Finds our first disk and opens it.
disk_initialize:
        push    esi
        push    edi
        mov     esi, .kind
        mov     edi, disk_paths
        call    device_find
        jc      .done
        call    frame_allocate
        test    eax, eax
        jz      .done
        lea     ecx, [eax + KERNEL_BASE]
        mov     [disk_page], ecx
        call    grant_page
        mov     [disk_grant], eax
        call    ring_page
        jc      .done
        mov     [disk_ring], edi
        mov     esi, disk_paths
        mov     edi, node_ring
        call    node_write
        call    event_offer
        mov     [disk_port], eax
        mov     edi, node_channel
        call    node_write
        mov     eax, XENBUS_INITIALISED
        mov     edi, node_state
        call    node_write
        call    device_connected
        jc      .done
        mov     eax, XENBUS_CONNECTED
        call    node_write
        add     esi, DEVICE_PATH
        mov     edi, .sectors
        call    node_number
        mov     [disk_sectors], eax
        mov     byte [disk_open], 1
        print   "disk: "
        call    print_decimal
        print   " sectors"
        call    print_newline
.done:  pop     edi
        pop     esi
        ret
        section .data
.kind:  db      "vbd", 0
.sectors:
        db      "sectors", 0

        section .text
; The event: a request has been answered.
disk_event:
        mov     eax, STATE_DEVICE
        jmp     wake_all

; EAX = operation, EDX = first sector, ECX = sectors, at most DISK_PAGE_SECTORS. Returns EAX = 0 or -EIO.
; The caller has the disk (disk_take).
disk_request:
        push    ebx
        push    esi
        mov     ebx, [disk_ring]
        mov     esi, [ebx + RING_REQUEST_PROD]
        and     esi, BLKIF_REQUESTS - 1
        imul    esi, esi, BLKIF_SIZE
        lea     esi, [ebx + esi + RING_ENTRIES]
        mov     [esi + BLKIF_OPERATION], al
        mov     byte [esi + BLKIF_SEGMENTS], 1
        cmp     eax, BLKIF_FLUSH
        jne     .data
        mov     byte [esi + BLKIF_SEGMENTS], 0
.data:  mov     [esi + BLKIF_ID], edx
        mov     [esi + BLKIF_SECTOR], edx
        mov     dword [esi + BLKIF_SECTOR + 4], 0
        mov     eax, [disk_grant]
        mov     [esi + BLKIF_GRANT], eax
        mov     byte [esi + BLKIF_FIRST], 0
        dec     ecx
        mov     [esi + BLKIF_LAST], cl
        mov     eax, [ebx + RING_REQUEST_PROD]
        inc     eax
        mov     [ebx + RING_RESPONSE_EVENT], eax        ; tell us when this one is answered
        mov     [ebx + RING_REQUEST_PROD], eax
        mov     eax, [disk_port]
        call    event_send
.wait:  interrupts_off
        mov     eax, [ebx + RING_REQUEST_PROD]
        cmp     eax, [ebx + RING_RESPONSE_PROD]
        je      .answered
        mov     eax, STATE_DEVICE
        call    sleep_in_state
        jmp     .wait
.answered:
        interrupts_on
        xor     eax, eax
        cmp     word [esi + BLKIF_STATUS], 0    ; the response took the place of the request
        je      .done
        mov     eax, -EIO
.done:  pop     esi
        pop     ebx
        ret

; Waits until nobody else uses the disk.
disk_take:
        interrupts_off
        cmp     byte [disk_busy], 0
        je      .mine
        mov     eax, STATE_DEVICE
        call    sleep_in_state
        jmp     disk_take
.mine:  mov     byte [disk_busy], 1
        interrupts_on
        ret

disk_give:
        interrupts_off
        mov     byte [disk_busy], 0
        push    eax
        mov     eax, STATE_DEVICE
        call    wake_all
        pop     eax
        interrupts_on
        ret

; ---- read and write of /dev/disk: the trap frame is EBP, EDI = the open file. Whole sectors only. -----------------
disk_read:
        mov     al, BLKIF_READ
        jmp     disk_transfer
disk_write:
        mov     al, BLKIF_WRITE
; AL = operation. EAX = bytes, 0 at the end of the disk, or an error.
disk_transfer:
        push    ebx
        push    esi
        movzx   ebx, al                         ; EBX = operation
        mov     eax, [disk_sectors]
        shl     eax, 9
        sub     eax, [edi + FILE_OFFSET]
        jbe     .end
        cmp     eax, [ebp + FRAME_EDX]
        jbe     .size
        mov     eax, [ebp + FRAME_EDX]
.size:  cmp     eax, PAGE_SIZE
        jbe     .fits
        mov     eax, PAGE_SIZE
.fits:  mov     esi, eax                        ; ESI = bytes
        or      eax, [edi + FILE_OFFSET]
        test    eax, SECTOR_SIZE - 1
        mov     eax, -EINVAL
        jnz     .done
        call    disk_take
        cmp     ebx, BLKIF_READ
        je      .ask
        call    .from_user
        js      .release
.ask:   mov     eax, ebx
        mov     edx, [edi + FILE_OFFSET]
        shr     edx, 9
        mov     ecx, esi
        shr     ecx, 9
        call    disk_request
        test    eax, eax
        js      .release
        cmp     ebx, BLKIF_READ
        jne     .moved
        call    .to_user
        js      .release
.moved: add     [edi + FILE_OFFSET], esi
        mov     eax, esi
.release:
        call    disk_give
        jmp     .done
.end:   xor     eax, eax
.done:  pop     esi
        pop     ebx
        ret

.from_user:
        push    esi
        push    edi
        mov     ecx, esi
        mov     esi, [ebp + FRAME_ECX]
        mov     edi, [disk_page]
        call    copy_from_user
        jmp     .copied
.to_user:
        push    esi
        push    edi
        mov     ecx, esi
        mov     esi, [disk_page]
        mov     edi, [ebp + FRAME_ECX]
        call    copy_to_user
.copied:
        pop     edi
        pop     esi
        test    eax, eax
        ret

        section .data
        align   4
disk_port:      dd -1
disk_busy:      db 0
disk_open:      db 0

        section .bss
disk_paths:     resb DEVICE_PATH * 2
disk_sectors:   resd 1
disk_ring:      resd 1
disk_page:      resd 1
disk_grant:     resd 1

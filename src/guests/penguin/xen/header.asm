; ELF header, the notes that tell Xen's domain builder how to start this kernel, the hypercall page (all from xen.inc),
; and a page whose only purpose is its address: the page that Xen shares with us will be mapped over it.

        xen_guest "Penguin", PENGUIN_VERSION, xen_entry
shared_info:
        times   PAGE_SIZE db 0
grant_table:
        times   PAGE_SIZE db 0

; The virtual processor's part of the shared page.
UPCALL_PENDING  equ shared_info + VCPU_UPCALL_PENDING
UPCALL_MASK     equ shared_info + VCPU_UPCALL_MASK

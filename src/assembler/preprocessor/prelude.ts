// The standard macros, in the assembler's own language: `section struc align …` (NASM manual §4.11, §7.1).
// They are macros in NASM too, which shows: `__SECT__`, contexts, and that a program may redefine them.

/** The file name that stands for this text in places. */
export const PRELUDE_NAME = '<standard macros>';

export const PRELUDE = `
%define __SECT__ [section .text]
%imacro section 1+
  %xdefine __SECT__ [section %1]
  [section %1]
%endmacro
%imacro segment 1+
  section %1
%endmacro
%imacro absolute 1+
  %xdefine __SECT__ [absolute %1]
  [absolute %1]
%endmacro

%imacro struc 1-2 0
  %push struc
  %define %$name %1
  [absolute %2]
  %$name:
%endmacro
%imacro endstruc 0
  %{$name}_size equ $ - %$name
  %pop struc
  __SECT__
%endmacro
%imacro istruc 1
  %push istruc
  %define %$name %1
  %$start:
%endmacro
%imacro at 1-2+
  %defstr %%text %1
  %substr %%first %%text 1
  %ifidn %%first,'.'
    times (%{$name}%1 - %$name) - ($ - %$start) db 0
  %else
    times (%1 - %$name) - ($ - %$start) db 0
  %endif
  %2
%endmacro
%imacro iend 0
  times %{$name}_size - ($ - %$start) db 0
  %pop istruc
%endmacro

%imacro align 1-2+
  [sectalign %1]
  %ifempty %2
    times (((%1) - (($ - $$) % (%1))) % (%1)) nop
  %else
    times (((%1) - (($ - $$) % (%1))) % (%1)) %2
  %endif
%endmacro
%imacro alignb 1-2+
  [sectalign %1]
  %ifempty %2
    times (((%1) - (($ - $$) % (%1))) % (%1)) resb 1
  %else
    times (((%1) - (($ - $$) % (%1))) % (%1)) %2
  %endif
%endmacro
`;

        align   4
sine:
%include "panes/sine-values.inc"

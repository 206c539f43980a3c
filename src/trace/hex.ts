// Numbers as the trace writes them.

/** Eight hexadecimal digits. */
export const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');

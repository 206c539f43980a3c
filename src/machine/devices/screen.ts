// What a monitor shows: the adapter's output for people. The worker's protocol carries the same shape to the page.

export type Screen =
  /** `cells`: character and attribute of each cell, row by row (code page 437; attribute as in the VGA's text modes). */
  | {
      mode: 'text';
      columns: number;
      rows: number;
      cells: Uint8Array;
      cursor: { column: number; row: number; visible: boolean };
    }
  /** `pixels`: one colour index each, row by row. `palette`: 256 × red, green, blue, eight bits each. */
  | { mode: 'graphics'; width: number; height: number; pixels: Uint8Array; palette: Uint8Array };

// What a monitor shows: the adapter's output for people. The worker's protocol carries the same shape to the page.

export type Screen =
  /**
   * `cells`: character and attribute of each cell, row by row (code page 437; attribute as in the VGA's text modes).
   * `palette`: 16 × red, green, blue, when the guest has changed the colours of the attributes.
   */
  | {
      mode: 'text';
      columns: number;
      rows: number;
      cells: Uint8Array;
      cursor: { column: number; row: number; visible: boolean };
      palette?: Uint8Array;
    }
  /** `pixels`: one colour index each, row by row. `palette`: 256 × red, green, blue, eight bits each. */
  | { mode: 'graphics'; width: number; height: number; pixels: Uint8Array; palette: Uint8Array }
  /** `pixels`: red, green, blue and 255 of each pixel, row by row. */
  | { mode: 'true-colour'; width: number; height: number; pixels: Uint8Array };

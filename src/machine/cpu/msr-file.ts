// The model-specific registers of a processor by index, as WRMSR has 64-bit values. World switches save and load a few of
// them each time: by `version` whoever keeps a copy in its own form knows whether that still holds.

export class MsrFile extends Map<number, bigint> {
  /** Goes up with every change. */
  version = 0;

  override set(index: number, value: bigint): this {
    this.version++;
    return super.set(index, value);
  }

  override delete(index: number): boolean {
    this.version++;
    return super.delete(index);
  }

  override clear(): void {
    this.version++;
    super.clear();
  }
}

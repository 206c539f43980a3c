// How the JavaScript engine keeps numbers in fields: as small integers, until one is larger. Then the shape of the object
// changes, and all optimized code that knows it is made anew, in the middle of a run.

/**
 * Says of fields that they will grow beyond small integers: cycles, counts of instructions. What they hold stays.
 * Called where an object is made, before code is optimized for it.
 */
export function widen(object: object, ...fields: readonly string[]): void {
  const numbers = object as Record<string, number>;
  for (const field of fields) {
    const value = numbers[field];
    numbers[field] = 0.5;
    numbers[field] = value;
  }
}

// How much source the editor takes. Beyond it there is one clear line, and nothing freezes.

/** Characters in one file. */
export const MAX_FILE_CHARACTERS = 1_000_000;
/** Characters in all files of a program. */
export const MAX_PROGRAM_CHARACTERS = 6_000_000;

const megabytes = (characters: number) => `${(characters / 1e6).toFixed(1)} MB`;

/** Why a text is not taken, or null. */
export function refusal(name: string, characters: number): string | null {
  if (characters <= MAX_FILE_CHARACTERS) return null;
  return `${name} has ${megabytes(characters)}: the editor takes ${megabytes(MAX_FILE_CHARACTERS)} in one file`;
}

/** Why a program is not assembled, or null. */
export function programRefusal(files: ReadonlyMap<string, string>): string | null {
  let sum = 0;
  for (const [name, text] of files) {
    const reason = refusal(name, text.length);
    if (reason) return reason;
    sum += text.length;
  }
  return sum <= MAX_PROGRAM_CHARACTERS
    ? null
    : `the program has ${megabytes(sum)}: at most ${megabytes(MAX_PROGRAM_CHARACTERS)} are assembled`;
}

// Which files a program is made of: `%include` followed from the main file, as the assembler finds them.
// NASM manual "%include"; the order of places is that of assembler/preprocessor and of session/library.

/** The folder of a path with its slash; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** `a/../b` → `b`, `./a` → `a`. */
export function normalizePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** Where includes are looked for beside the folder of the file that asks. */
export function includePaths(main: string): string[] {
  return [...new Set([folderOf(main), 'include/', ''])];
}

/** One file of a program, with the files it includes in the order of their first inclusion. */
export interface FileNode {
  readonly name: string;
  readonly children: readonly FileNode[];
}

const INCLUDE = /^[ \t]*%include[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|`([^`\n]*)`)/gim;
const MAX_FILES = 500;
const MAX_DEPTH = 64;

/** The names in `%include` lines, in order. */
export function includesIn(text: string): string[] {
  if (!text.includes('%')) return [];
  return [...text.matchAll(INCLUDE)].map((match) => match[1] ?? match[2] ?? match[3]);
}

/** The file that an `%include` means, or undefined. */
export function findInclude(
  has: (name: string) => boolean,
  wanted: string,
  from: string,
  main: string,
): string | undefined {
  for (const folder of ['', ...includePaths(main), folderOf(from)]) {
    const name = normalizePath(folder + wanted);
    if (has(name)) return name;
  }
  return undefined;
}

/** The tree of a program's files; each file once, where it is included first. Undefined when there is no main file. */
export function fileTree(textOf: (name: string) => string | undefined, main: string): FileNode | undefined {
  const seen = new Set<string>();
  const has = (name: string) => textOf(name) !== undefined;
  const visit = (name: string, depth: number): FileNode => {
    seen.add(name);
    const children: FileNode[] = [];
    for (const wanted of includesIn(textOf(name) ?? '')) {
      const found = findInclude(has, wanted, name, main);
      if (found === undefined || seen.has(found) || seen.size >= MAX_FILES || depth >= MAX_DEPTH) continue;
      children.push(visit(found, depth + 1));
    }
    return { name, children };
  };
  return has(main) ? visit(main, 0) : undefined;
}

/** The names of a tree, each before what it includes. */
export function fileNames(tree: FileNode | undefined): string[] {
  return tree ? [tree.name, ...tree.children.flatMap(fileNames)] : [];
}

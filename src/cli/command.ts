// The commands of the terminal, and what becomes of their errors: one line on standard error and an exit status
// (design.md §5): 0 it worked, 1 the guest did not do what was asked, 2 it could not even be tried.
import { UsageError } from './library.ts';
import { ReaderGone } from './trace-file.ts';

const USAGE = `ringside run [options] GUEST [GUEST …]   boot guests on one simulated server
ringside assemble F.asm [-o F.bin] [--listing]
ringside lesson check ID [--solution DIR]
ringside bench NAME                        measurements; without a name, the list of them
ringside popek-goldberg [--technique NAME] [--ring 0..3] [--json]   which instructions trap, and which only should; what becomes
                                           of each under every technique: observed, ring by ring
GUEST: a guest of ours (penguin-xen, penguin-native, panes, hello-xen), a scenario (side-by-side), a .asm source, or an image.
Options of run:
  --technique native|trap-and-emulate|binary-translation|paravirtualization|vt-x|svm|container   --cpu prescott|merom|nehalem   --memory 16M   --append STRING   --initrd FILE
  --disk FILE (more than once)   --processors 1..4 (native; with APICs)   --vcpus 1..8 (paravirtualization)
  --paging shadow|nested   --enlightenments hyper-v,xen   --engine auto|interpreter  --input TEXT   --max-cycles N   --max-seconds N   --until-serial REGEX
  --json FILE|-     --trace FILE|- (.json: Chrome trace events)
Exit status: 0 the guests shut down or the condition was met; 1 they did not; 2 bad arguments or an unusable image.`;

/** Carries out a command line. The exit status. */
export async function ringside(words: string[]): Promise<number> {
  const [command, ...rest] = words;
  try {
    switch (command) {
      case 'run':
        return (await import('./run.ts')).run(rest);
      case 'assemble':
        return (await import('./assemble.ts')).assembleCommand(rest);
      case 'lesson':
        return (await import('./lesson.ts')).lessonCommand(rest);
      case 'popek-goldberg':
        return (await import('./popek-goldberg.ts')).popekGoldberg(rest);
      case 'bench':
        return (await import('../bench/command.ts')).bench(rest);
      case undefined:
      case 'help':
      case '--help':
        console.log(USAGE);
        return command ? 0 : 2;
      default:
        throw new UsageError(`no command "${command}" (run, assemble, lesson, bench, popek-goldberg)`);
    }
  } catch (error) {
    if (error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
      console.error(`ringside: ${(error as Error).message.split('\n')[0]}`);
      return 2;
    }
    if (error instanceof ReaderGone) return 1;
    // A mistake of ours: not what a grader should take for a guest that failed.
    console.error(`ringside: this is a mistake in Ringside: ${(error as Error).stack ?? error}`);
    return 2;
  }
}

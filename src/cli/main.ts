// The terminal: the same session without a page, for teachers, graders and tests.
import { UsageError } from './library.ts';

const USAGE = `ringside run [options] GUEST [GUEST …]   boot guests on one simulated server
ringside assemble F.asm [-o F.bin] [--listing]
ringside lesson check ID [--solution DIR]
GUEST: a guest of ours (penguin-xen, penguin-native, panes, hello-xen), a scenario (side-by-side), a .asm source, or an image.
Options of run:
  --technique native|paravirtualization|vt-x   --cpu prescott|merom|nehalem   --memory 16M   --append STRING   --initrd FILE
  --paging shadow   --engine auto|interpreter  --input TEXT   --max-cycles N   --max-seconds N   --until-serial REGEX
  --json FILE|-     --trace FILE|- (.json: Chrome trace events)
Exit status: 0 the guests shut down or the condition was met; 1 they did not; 2 bad arguments or an unusable image.`;

async function main(words: string[]): Promise<number> {
  const [command, ...rest] = words;
  try {
    switch (command) {
      case 'run':
        return (await import('./run.ts')).run(rest);
      case 'assemble':
        return (await import('./assemble.ts')).assembleCommand(rest);
      case 'lesson':
        return (await import('./lesson.ts')).lessonCommand(rest);
      case undefined:
      case 'help':
      case '--help':
        console.log(USAGE);
        return command ? 0 : 2;
      default:
        throw new UsageError(`no command "${command}" (run, assemble, lesson)`);
    }
  } catch (error) {
    if (error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
      console.error(`ringside: ${(error as Error).message.split('\n')[0]}`);
      return 2;
    }
    throw error;
  }
}

process.exitCode = await main(process.argv.slice(2));

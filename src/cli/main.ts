import { ingotVersion } from './version.ts';

/**
 * The command line. Loads no more than what the command needs: the version is answered from here, and the rest of the
 * CLI is imported only after that, since start-up is felt at every command.
 */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`${ingotVersion()}\n`);
    return;
  }
  if (argv[0] === '__complete') {
    // Asked by the completion scripts at every press of the tab key; says nothing where it fails.
    const { namesOf } = await import('../completion/names.ts');
    const names = await namesOf(argv[1] ?? '').catch(() => []);
    process.stdout.write(names.map((name) => `${name}\n`).join(''));
    return;
  }
  const { run } = await import('./run.ts');
  const code = await run(argv, process);
  process.exit(code);
}

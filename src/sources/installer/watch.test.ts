import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { INSTALLERS } from './kinds/kinds.ts';
import { STAGES } from './kinds/kind.ts';
import { InstallWatch } from './watch.ts';

const watching = (kind: keyof typeof INSTALLERS = 'preseed', slowness = 1): InstallWatch => new InstallWatch({ kind: INSTALLERS[kind], slowness, now: 0 });

describe('stages', () => {
  test('are told by the console and by what is fetched, and never go back', () => {
    const watch = watching();
    const seen = [watch.stage];
    const look = (): void => void seen.push(watch.stage);
    watch.console('[    0.000000] Linux version 6.1.0\n', 1);
    look();
    watch.served(true, 2);
    look();
    watch.console('Starting up the parti', 3);
    watch.console('tioner ...\n', 3);
    look();
    watch.console('Installing the base system\nStarting up the partitioner\n', 4);
    look();
    watch.console('Finishing the installation', 5);
    look();
    expect(seen).toEqual([...STAGES]);
  });

  test('a file that is not there is no answer file that was fetched', () => {
    const watch = watching();
    watch.served(false, 1);
    expect(watch.stage).toBe('firmware');
  });

  test.each<[keyof typeof INSTALLERS, string, string]>([
    ['kickstart', 'Creating disklabel on /dev/vda', 'partitioning'],
    ['kickstart', 'Installing bash.x86_64 (12/400)', 'packages'],
    ['kickstart', 'Performing post-installation setup tasks', 'finishing'],
    ['autoinstall', 'executing curtin install partitioning step', 'partitioning'],
    ['autoinstall', 'executing curtin install extract step', 'packages'],
    ['autoinstall', 'final system configuration', 'finishing'],
    ['setup-alpine', 'Creating file systems...', 'partitioning'],
    ['setup-alpine', 'Installation is complete. Please reboot.', 'finishing'],
    ['archinstall', 'Installation completed without any errors.', 'finishing'],
  ])('%s: %s', (kind, line, stage) => {
    const watch = watching(kind);
    watch.console(`${line}\n`, 1);
    expect(watch.stage).toBe(stage);
  });
});

describe('verdicts', () => {
  test('quiet is no question, and progress of any kind puts off the end', () => {
    const watch = watching();
    watch.console('Linux version 6.1\n', 0);
    expect(watch.verdict(170)).toBeUndefined();
    watch.disks(2 ** 20, 170);
    expect(watch.verdict(340)).toBeUndefined();
    expect(watch.verdict(351)).toEqual({ kind: 'timeout', stage: 'kernel', seconds: 181 });
  });

  test('an emulated processor has more time', () => {
    const watch = watching('preseed', 4);
    watch.console('Linux version 6.1\n', 0);
    expect(watch.verdict(700)).toBeUndefined();
    expect(watch.verdict(721)).toMatchObject({ kind: 'timeout' });
  });

  test('a little writing is what a system does at rest', () => {
    const watch = watching();
    watch.console('Linux version 6.1\n', 0);
    watch.disks(4096, 100);
    expect(watch.verdict(181)).toMatchObject({ kind: 'timeout' });
  });

  test('what always says something and never comes forward ends too', () => {
    const watch = watching();
    for (let now = 0; now < 12 * 180; now += 60) watch.console('[ 1.0] still trying\n', now);
    expect(watch.verdict(12 * 180)).toBeUndefined();
    expect(watch.verdict(12 * 180 + 2)).toMatchObject({ kind: 'timeout', stage: 'kernel' });
  });

  test.each<[keyof typeof INSTALLERS, string]>([
    ['preseed', "Hostname:\nPrompt: '?' for help> "],
    ['kickstart', "Please make a selection from the above ['c' to continue, 'q' to quit, 'r' to refresh]: "],
    ['autoinstall', 'Continue with autoinstall? (yes|no)'],
    ['setup-alpine', 'Enter system hostname (fully qualified form) [localhost] '],
    ['archinstall', 'Would you like to continue? [Y/n] '],
  ])('%s asks', (kind, prompt) => {
    const watch = watching(kind);
    watch.console(`Linux version 6.1\n${prompt}`, 10);
    expect(watch.verdict(20)).toBeUndefined();
    expect(watch.verdict(26)).toEqual({ kind: 'asks', prompt: expect.stringContaining(prompt.trim().split('\n').at(-1) ?? '') });
  });

  test('a question that was answered is none', () => {
    const watch = watching();
    watch.console("Linux version 6.1\nPrompt: '?' for help> 1\n", 10);
    watch.console(Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join(''), 12);
    expect(watch.verdict(60)).toBeUndefined();
  });

  test.each<[keyof typeof INSTALLERS, string, string]>([
    ['kickstart', 'The following error was found while parsing the kickstart configuration file:', 'answers-refused'],
    ['kickstart', 'Failed to register the system: Invalid organization', 'subscription-refused'],
    ['autoyast', 'Unknown Registration Code.', 'subscription-refused'],
    ['preseed', 'tar: write error: No space left on device', 'install-no-space'],
    ['agama', 'Kernel panic - not syncing: VFS', 'install-failed'],
  ])('%s: %s', (kind, line, code) => {
    const watch = watching(kind);
    watch.console(`Linux version 6.1\n${line}\nand more of it\n`, 1);
    expect(watch.verdict(10)).toBeUndefined();
    expect(watch.verdict(17)).toMatchObject({ kind: 'failed', failure: { code }, line });
  });

  test('words of a failure after which it goes on are harmless', () => {
    const watch = watching();
    watch.console('Linux version 6.1\nNo space left on device\n', 1);
    for (let now = 2; now < 100; now += 10) watch.disks(now * 2 ** 20, now);
    expect(watch.verdict(100)).toBeUndefined();
  });
});

test('however a console is cut into parts, it says the same', () => {
  const text = "Linux version 6.1\nStarting up the partitioner\nInstalling the base system\nPrompt: '?' for help> ";
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
      const watch = watching();
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      for (const [i, start] of at.slice(0, -1).entries()) watch.console(text.slice(start, at[i + 1]), 1);
      expect([watch.stage, watch.verdict(40)?.kind, watch.tail(2)]).toEqual(['packages', 'asks', "Installing the base system\nPrompt: '?' for help> "]);
    }),
  );
});

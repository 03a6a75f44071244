import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withFakeInstaller } from '../../../tests/support/fake-installer-host.ts';
import { failureOf, templateFolder } from '../../../tests/support/templates.ts';
import { keyOf } from '../../base/hash.ts';
import { masker } from '../../base/secrets.ts';
import { hostPath } from '../../base/types.ts';
import { INSTALLERS } from './kinds/kinds.ts';
import { makeInstallLogs } from './install-logs.ts';
import { runInstallation } from './run.ts';

interface Ran {
  readonly error: Awaited<ReturnType<typeof failureOf>> | undefined;
  readonly output: string;
  readonly stages: readonly string[];
  readonly logs: string;
}

async function run(answers: string, look: (ran: Ran) => void): Promise<void> {
  await using at = await templateFolder({}, withFakeInstaller);
  const { host, home, events } = at.context;
  await host.files.write(join(home.keys, 'id_ed25519'), 'a key');
  await host.files.write(join(home.keys, 'id_ed25519.pub'), 'ssh-ed25519 AAAA ingot\n');
  const scratch = hostPath(join(home.run, 'x'));
  await host.files.makeDirectory(scratch);
  const logs = await makeInstallLogs(host, home, 'mini', keyOf('mini'));
  const work = runInstallation(
    at.context,
    {
      name: 'mini',
      kind: INSTALLERS.preseed,
      arch: 'amd64',
      firmware: 'bios',
      kernel: hostPath('/k'),
      initrd: hostPath('/i'),
      kernelArguments: ['quiet'],
      answers: [{ name: 'preseed.cfg', content: Buffer.from(answers) }],
      delivery: { http: (url) => [`url=${url}preseed.cfg`] },
      diskSize: 2 ** 30,
      mask: masker(['a-secret-value']),
    },
    { disk: hostPath(join(scratch, 'disk.qcow2')), scratch, logs, span: events.span('stage', 'installing') },
  );
  const error = await work.then(
    () => undefined,
    () => failureOf(work),
  );
  look({
    error,
    logs,
    output: at.events.flatMap((event) => (event.type === 'output' ? [event.text] : [])).join(''),
    stages: at.events.flatMap((event) => (event.type === 'span-progress' && event.note !== undefined ? [event.note] : [])),
  });
}

const GOOD = 'say Starting up the partitioner\nwrite 100\nsay Installing the base system with a-secret-value\nsay Finishing the installation\n';

test('an installation is followed to its end, with its console kept and its secrets hidden', async () => {
  await run(`${GOOD}end guest-shutdown\n`, ({ error, output, stages, logs }) => {
    expect(error).toBeUndefined();
    expect(output).toContain('the installer asked for preseed.cfg');
    expect(stages.at(-1)).toBe('finishing');
    const kept = readFileSync(join(logs, 'console.log'), 'utf8');
    expect(kept).toContain('Installing the base system with ***');
    expect(output).not.toContain('a-secret-value');
    expect(existsSync(join(logs, '5-finishing.png'))).toBe(true);
  });
});

test.each([
  ['it starts the machine anew at its end', `${GOOD}end guest-reset\n`, undefined],
  ['it starts the machine anew before', 'say Starting up the partitioner\nwrite 100\nend guest-reset\n', 'install-failed'],
  ['it goes off with nothing on the disk', `${GOOD.replace('write 100\n', '')}end guest-shutdown\n`, 'install-failed'],
  ['its disk is too small', 'say Starting up the partitioner\nsay No space left on device\n', 'install-no-space'],
  ["the host's disk is full", 'say Starting up the partitioner\nfull\n', 'disk-full'],
  ['it stands still', 'say Starting up the partitioner\n', 'install-timeout'],
])('%s', async (_, answers, code) => {
  await run(answers, ({ error }) => expect(error?.code).toBe(code));
});

test('a question is shown, with where the picture of the screen is', async () => {
  await run('say Starting up the partitioner\nask Which disk?\n', ({ error, logs }) => {
    expect(error).toMatchObject({ code: 'install-asks', message: expect.stringContaining('partitioning') });
    expect(error?.detail).toContain("Which disk?\nPrompt: '?' for help>");
    expect(error?.detail).toContain(join(logs, 'failure.png'));
    expect(existsSync(join(logs, 'failure.png'))).toBe(true);
  });
});

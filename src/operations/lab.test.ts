import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtInSettings } from '../base/settings.ts';
import { hostPath } from '../base/types.ts';
import { sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import labDiff from './lab-diff.ts';
import labDown from './lab-down.ts';
import labExec from './lab-exec.ts';
import labSsh from './lab-ssh.ts';
import labStatus from './lab-status.ts';
import labUp from './lab-up.ts';
import type { Context } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';

const PLAIN = { color: false, width: 100 };
const TWO = 'lab: shop\nnetwork: 10.77.0.0/24\nvms:\n  web: { image: debian-12, after: db }\n  db: { image: debian-12 }\n';

interface Place extends AsyncDisposable {
  readonly context: Context;
  write(text: string): Promise<void>;
}

/** A folder with a lab file, in which a user works who agrees to everything. */
async function placeOf(lab: SampleLab): Promise<Place> {
  const folder = hostPath(await mkdtemp(join(tmpdir(), 'ingot-lab-')));
  const context: Context = {
    ...lab.context(),
    settings: builtInSettings(lab.context().home),
    folder,
    ...UNATTENDED,
  };
  return { context, write: (text) => writeFile(join(folder, 'lab.yaml'), text), [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test('diff tells what up does, status shows it, down ends it', async () => {
  await using lab = await sampleLab();
  await using place = await placeOf(lab);
  const { context } = place;
  await place.write(TWO);
  const diff = async (): Promise<string> => labDiff.render?.(await labDiff.run(labDiff.input.parse({}), context), PLAIN) ?? '';
  expect(await diff()).toBe(['+ db   created', '       started', '+ web  created', '       started'].join('\n'));
  const result = labUp.output.parse(await labUp.run(labUp.input.parse({ start: false }), context));
  expect(labUp.render?.(result, PLAIN)).toMatch(
    /^MEMBER.*\ndb +10\.77\.0\.11 +shop-db +made, not started\nweb +10\.77\.0\.12 .*\nThe lab shop is on 10\.77\.0\.0\/24\./,
  );
  await place.write(`${TWO.replace('after: db', 'after: db, memory: 2GiB')}  more: { image: debian-12, count: 1 }\n`);
  expect(await diff()).toBe(
    [
      '~ db      started',
      '          told the names of the lab',
      '~ web     memory 1.0 GiB -> 2.0 GiB',
      '          started',
      '          told the names of the lab',
      '+ more-1  created',
      '          started',
    ].join('\n'),
  );
  await place.write('lab: shop\nnetwork: 10.77.0.0/24\nvms:\n  web: { image: "debian-12:latest" }\n');
  expect(await diff()).toContain('needs a new VM (image debian-12 -> debian-12:latest): only with --replace');
  expect(await diff()).toContain('- db   deleted with its disk: the file does not have it');

  // A lab is found by its name, and by its file.
  for (const name of ['shop', 'lab.yaml', undefined]) {
    const [shown] = labStatus.output.parse(await labStatus.run(labStatus.input.parse({ lab: name }), context));
    expect(shown).toMatchObject({ name: 'shop', network: '10.77.0.0/24', members: [{ member: 'db', state: 'stopped', ready: false }, { member: 'web' }] });
  }
  const down = await labDown.run(labDown.input.parse({ lab: 'shop' }), context);
  expect(down.members.map(({ result: how }) => how)).toEqual(['not-running', 'not-running']);
  await labDown.run(labDown.input.parse({ lab: 'shop', delete: true }), context);
  expect(await labStatus.run(labStatus.input.parse({}), context)).toEqual([]);
});

test('a lab that does not run cannot be asked, and members that are not there are told', async () => {
  await using lab = await sampleLab();
  await using place = await placeOf(lab);
  const { context } = place;
  await place.write(TWO);
  await labUp.run(labUp.input.parse({ start: false }), context);
  await expect(labExec.run(labExec.input.parse({ lab: 'shop', command: ['true'] }), context)).rejects.toMatchObject({ code: 'lab-not-running' });
  await expect(labSsh.run(labSsh.input.parse({ lab: 'shop', member: 'wbe' }), context)).rejects.toMatchObject({
    code: 'lab-member-unknown',
    hint: expect.stringContaining('web'),
  });
  await expect(labExec.run(labExec.input.parse({ lab: 'shp', command: ['true'] }), context)).rejects.toMatchObject({
    code: 'lab-unknown',
    hint: 'Did you mean shop?',
  });
  const exec = await labExec.run(labExec.input.parse({ lab: 'shop', on: ['db'], command: ['true'] }), context);
  expect(exec.members).toEqual([{ member: 'db', exitCode: 255 }]);
  expect(
    labExec.exitCode?.({
      members: [
        { member: 'a', exitCode: 0 },
        { member: 'b', exitCode: 3 },
      ],
    }),
  ).toBe(3);
});

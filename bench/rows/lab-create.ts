import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath } from '../../src/base/types.ts';
import { openStore } from '../../src/store/store.ts';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { timed } from '../run-command.ts';
import type { Row } from '../row.ts';

const VMS = 20;

export const labCreate: Row = {
  name: 'lab-create',
  what: `ingot lab up --no-start with ${VMS} VMs`,
  against: 'nothing: the value counts',
  target: { value: 5 },
  measure: async (bench) => {
    const host = realHost();
    const ours: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const root = hostPath(join(bench.folder, `home-lab-${round}`));
      const home = await openHome(host, root);
      await putSampleImage(openStore(host, home), home, 'debian-12', ['latest']);
      const folder = join(bench.folder, `lab-${round}`);
      await mkdir(folder);
      const file = join(folder, 'lab.yaml');
      await writeFile(file, `lab: many\nvms:\n  node: { image: debian-12, count: ${VMS} }\n`);
      ours.push((await timed([bench.ingot, 'lab', 'up', file, '--no-start'], { INGOT_HOME: root })).seconds);
    }
    return { unit: 's', ours, theirs: [] };
  },
};

import { expect, test } from 'vitest';
import { parseName } from '../../base/types.ts';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { cloneVm } from './clone.ts';
import { createVm } from './create.ts';
import { guestFiles } from './guest-spec.ts';
import type { Share } from './vm-record.ts';
import { loadVm, saveVm } from './vms.ts';

const [web, copy] = [parseName('web', 'a VM'), parseName('copy', 'a VM')];

test('a clone has the shared folders of its source, and an empty TPM', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const share = { tag: 'share0', kind: 'virtiofs', host: '/srv', guest: '/srv', readOnly: false } satisfies Share;
  await saveVm(lab.host, home, { ...(await createVm(lab.context(), newVm('web'))), shares: [share], tpm: true });
  const { tpmState } = guestFiles(home.vm(web));
  await lab.host.files.makeDirectory(tpmState, 0o700);
  await lab.host.files.write(`${tpmState}/tpm2-00.permall`, 'a secret');
  await cloneVm(lab.context(), { source: web, target: copy, full: false, start: false, force: false });
  expect(await loadVm(lab.host, home, copy)).toMatchObject({ shares: [share], tpm: true });
  expect(await lab.host.files.status(guestFiles(home.vm(copy)).tpmState)).toBeUndefined();
  expect(lab.messages.at(-1)).toContain('TPM');
});

import { expect, test, vi } from 'vitest';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { listPublications } from './journal.ts';

// Each is several publications, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

test('an image becomes a template that was proven on a clone, and is the current one', async () => {
  await using lab = await publishLab();
  const image = await lab.image();
  const { publication, outcome } = await lab.publish(image);
  expect(outcome).toBe('published');
  expect(publication.state).toBe('current');
  expect(publication.places.map(({ id, state, checks }) => [id, state, checks.map(({ name, result }) => `${name} ${result}`)])).toEqual([
    ['pve', 'validated', ['start passed', 'guest agent passed', 'address passed', 'login passed', 'cloud-init passed']],
  ]);
  expect(lab.simulator.wrong).toEqual([]);
  const short = image.digest.slice(7, 15);
  expect(lab.simulator.cluster.summary()).toEqual({
    vms: [`pve web-${short} template=1 running=false tags=ingot;web;current lock=`],
    volumes: [`pve local-lvm:base-web-${short}-disk-0`, `pve local-lvm:vm-web-${short}-cloudinit`].toSorted(),
  });
  expect(lab.ssh.calls).toEqual(['192.0.2.10 -- true', '192.0.2.10 -- cloud-init status --wait --long']);
});

test('publishing an unchanged image again sends no bytes', async () => {
  await using lab = await publishLab();
  const image = await lab.image();
  await lab.publish(image);
  const [before, exports] = [lab.simulator.log.length, lab.exports()];
  const again = await lab.publish(image);
  expect(again.outcome).toBe('unchanged');
  expect(lab.exports()).toBe(exports);
  expect(lab.simulator.log.slice(before).every(({ method }) => method === 'GET')).toBe(true);
  expect(await listPublications(lab.context())).toHaveLength(1);
});

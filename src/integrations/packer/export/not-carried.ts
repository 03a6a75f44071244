import type { Origin } from './project.ts';

/** What of a template a Packer project does not say, or says otherwise; sentences without a final stop. Pure. */
export function notCarried({ template, image }: Origin): string[] {
  const { disk, tests, outputs, labels, steps, kernel, packages, roles, base } = template;
  const found: string[] = [];
  const say = (is: boolean, text: string): void => void (is && found.push(text));
  const laidOut = image === undefined;
  say(
    tests.length > 0,
    `its ${tests.length === 1 ? 'test is' : `${tests.length} tests are`} not run: Packer has no gate; \`ingot image import\` the result, and test what is built on it`,
  );
  say(outputs.length > 0, 'its outputs: Packer writes one disk or template; convert it, or import it and use `ingot image export`');
  say(Object.keys(labels).length > 0, 'its labels, which are kept in the configuration of an image of ingot');
  say(
    disk.partitions !== undefined || disk.lvm === true,
    `its ${disk.lvm === true ? 'logical volumes' : 'partitions'}: ${laidOut ? 'the answers lay out one root' : 'the disk is laid out as it is'}`,
  );
  const installer = laidOut && base.kind === 'installer' ? base : undefined;
  say(installer?.answers !== undefined, 'its own answer file: the project answers with the account that Packer logs in as');
  say(installer?.arguments !== undefined, "arguments of its installer's kernel: they belong into `boot_command`");
  say(installer?.medium.kind === 'netboot', 'its kernel and initrd: Packer installs from the medium of the catalog');
  say(disk.swap !== undefined, 'its swap file');
  say(laidOut && kernel === 'cloud', 'the small kernel for clouds: the installer chooses the kernel');
  say(
    steps.some((step) => 'network' in step && !step.network),
    'steps without network: in a machine of Packer, every step has it',
  );
  say(
    packages.some((name) => name.includes('=')) || roles.length > 0,
    'versions of packages that a lock file pins: Packer installs what the repositories have on that day',
  );
  say(
    steps.some((step) => step.kind === 'ansible'),
    'Ansible without SSH: its steps run from this host, over SSH',
  );
  return found;
}

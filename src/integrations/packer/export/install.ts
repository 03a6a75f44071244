import { IngotError } from '../../../base/errors.ts';
import { answerKind, packedAnswers, writeAnswers, type AnswerKind, type InstallFacts } from '../../../sources/installer/answers/answers.ts';
import { rebooting } from './reboot.ts';
import { bootCommand } from './boot-command.ts';
import type { BuildAccount, Medium, Origin, ProjectFile } from './project.ts';

/** How a release is installed from its medium, by Packer. */
export interface Installation extends Medium {
  readonly kind: AnswerKind;
  readonly files: readonly ProjectFile[];
  readonly bootCommand: readonly string[];
}

/** Stands for the address of Packer's own web server, which only Packer knows. */
const SERVER = 'http://packer.invalid:1';
const PACKER_SERVER = 'http://{{ .HTTPIP }}:{{ .HTTPPort }}';

/**
 * What an installation of the release by Packer consists of. Throws `packer-no-iso` where the catalog knows of no medium, or no way to answer its
 * questions, and `answers-unsupported`.
 */
export function installation(origin: Origin, account: BuildAccount): Installation {
  const { release } = origin;
  const kind = answerKind(release);
  const medium = origin.medium ?? catalogMedium(origin);
  if (medium === undefined || kind === undefined) {
    throw new IngotError('usage', 'packer-no-iso', `The catalog knows of no unattended installation of ${release.id}, which Packer would need for its medium`, {
      hint: 'Leave out the builders that install: --builder proxmox-clone --builder cloudstack. Or start from an image of ingot: --from-image.',
    });
  }
  const answers = rebooting(kind, writeAnswers(kind, installFacts(origin, account)));
  const words = answers.delivery.http?.(SERVER);
  if (words === undefined) {
    throw new IngotError('usage', 'packer-no-iso', `The installer of ${release.id} takes no answers over HTTP, which is how Packer serves them`);
  }
  return {
    kind,
    url: medium.url,
    checksum: medium.checksum,
    files: packedAnswers(answers).map(({ name, content }) => ({
      path: `http/${name}`,
      content,
      mode: 0o644,
    })),
    bootCommand: bootCommand(
      {
        kind,
        release,
        firmware: firmwareOf(origin),
        server: PACKER_SERVER,
        overlay: answers.overlay,
      },
      words.map((word) => word.replaceAll(SERVER, PACKER_SERVER)),
    ),
  };
}

/** The medium that the catalog knows, without an address where that is a page behind a login; undefined where none can be told what to do. */
function catalogMedium({ release: { installer }, architecture }: Origin): Medium | undefined {
  if (installer === undefined || installer.method === 'interactive') return undefined;
  const { url, login, checksum } = installer.media[architecture] ?? {};
  return {
    url: login === undefined || url?.endsWith('.iso') === true ? url : undefined,
    checksum: checksum === undefined ? undefined : `file:${checksum.url}`,
  };
}

/** What the machine is started by. That a release's cloud image knows UEFI alone says nothing of what its medium installs. */
export function firmwareOf({ template, release, architecture }: Pick<Origin, 'template' | 'release' | 'architecture'>): 'bios' | 'uefi' {
  const isWanted = template.disk.firmware === 'uefi' && (template.base.kind !== 'cloud-image' || release.firmware.includes('bios'));
  return isWanted || architecture !== 'amd64' ? 'uefi' : 'bios';
}

/** The least that an installer has to be told: the rest is done by scripts, which every builder runs alike. */
function installFacts(origin: Origin, { name, publicKey }: BuildAccount): InstallFacts {
  const { template, release, architecture } = origin;
  const { system, disk } = template;
  // Media that hold no packages are told where they are.
  const mirror = release.installer?.media[architecture]?.repository;
  const { codename, distribution, version } = release;
  return {
    release: { distribution, version, architecture, ...(codename === '' ? {} : { codename }) },
    hostname: system.hostname === undefined || system.hostname === 'platform' ? template.name.replaceAll(/[^a-z0-9-]/g, '-') : system.hostname,
    locale: system.locale ?? 'en_US.UTF-8',
    keyboard: system.keymap ?? 'us',
    timezone: system.timezone ?? 'Etc/UTC',
    disk: { device: 'first', firmware: firmwareOf(origin), filesystem: disk.filesystem },
    users: [{ name, sshKeys: [publicKey], sudo: true }],
    packages: [],
    network: { kind: 'dhcp' },
    ...(mirror === undefined ? {} : { mirror }),
    lateCommands: [],
    finish: 'poweroff',
  };
}

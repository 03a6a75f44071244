import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { hashValue, keyOf } from '../base/hash.ts';
import { takeLock } from '../base/lock.ts';
import { makeScratch } from '../base/scratch.ts';
import { masker, openSecrets } from '../base/secrets.ts';
import { formatSize, hexOf, hostPath, parseName, type Digest, type HostPath, type Key } from '../base/types.ts';
import type { Architecture } from '../catalog/cloud-image-schema.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { architectureSchema } from '../platforms/local/guest-spec.ts';
import { installSecrets, packedAnswers, writeAnswers, type AnswerFiles } from '../sources/installer/answers/answers.ts';
import { extractBootFiles } from '../sources/installer/boot-files.ts';
import { checkMedium, identifyMedium } from '../sources/installer/iso/identify.ts';
import { IsoImage } from '../sources/installer/iso/reader.ts';
import type { InstallerKind } from '../sources/installer/kinds/kind.ts';
import { INSTALLERS } from '../sources/installer/kinds/kinds.ts';
import { makeInstallLogs } from '../sources/installer/install-logs.ts';
import { dropInstalled, findInstalled, installLock, keepInstalled, sweepInstalled } from '../sources/installer/installed-disk.ts';
import { ownAnswers } from '../sources/installer/own-answers.ts';
import { baseFacts, subscriptionFacts, type InstallWish } from '../sources/installer/template-facts.ts';
import { runInstallation } from '../sources/installer/run.ts';
import type { InstallerBase, ResolvedTemplate } from '../template/template.ts';
import type { ResolvedImage } from './cloud-image.ts';
import { knownMedium, theMedium, type MediumOptions, type TheMedium } from './install-medium.ts';
import { isTaken, takeIn } from './take-in.ts';

/** Version of how installations are run: another one installs anew. */
const DRIVER = 1;
/** Free bytes of the host that an installation needs: the disk as it grows, and its copy in the store. */
const SPACE_NEEDED = 6 * 2 ** 30;

export interface InstallOptions extends MediumOptions {
  /** Install what is not there; else `not-installed` is thrown. */
  readonly install: boolean;
  /** Where the installer finds packages, where that is not the default. */
  readonly mirror?: string | undefined;
}

export interface StoredInstallation {
  /** `name:tag` in the store. */
  readonly reference: string;
  /** The medium that it was installed from. */
  readonly resolved: ResolvedImage;
}

/** What decides what an installation becomes. */
interface Told {
  readonly kind: InstallerKind;
  readonly key: (medium: Digest) => Key;
  /** With the values of secrets, for the machine alone. */
  readonly files: () => Promise<{ readonly answers: AnswerFiles; readonly secrets: readonly string[] }>;
}

/**
 * The image of the store that the installer of a release has made: called like the release, with the tag `installed-` and the beginning of its key, which holds the medium's
 * digest, what the installer was told, the disk, and how installations are run. It is installed where it is not there: this takes as long as an installation does. Throws
 * `not-installed`, `iso-no-kernel`, `iso-differs`, what fetching a medium, {@link runInstallation} and taking a disk in throw.
 */
export async function storedInstallation(
  context: Context,
  template: ResolvedTemplate,
  base: InstallerBase,
  release: Release,
  options: InstallOptions,
): Promise<StoredInstallation> {
  const arch = architectureSchema.parse(template.arch);
  const told = await whatIsTold(context, template, base, release, arch, options);
  const known = await knownMedium(context, base, release, arch, options);
  if (known !== undefined) {
    const key = told.key(known.digest);
    const reference = referenceOf(release, key);
    if (await isTaken(context, reference, key)) {
      await dropInstalled(context, key); // of a build that was killed at its very end
      return { reference, resolved: known };
    }
    if (!options.install) {
      throw new IngotError('conflict', 'not-installed', `${release.id} is not installed yet, and what stands on it is only known then`, {
        hint: `\`ingot build\` installs it, from ${known.url}.`,
        detail: `medium ${known.digest}\nkey ${key}`,
      });
    }
  } else if (!options.install) {
    throw new IngotError('conflict', 'not-installed', `${release.id} is not installed yet, and its medium is not there`, {
      hint: '`ingot build` fetches and installs it.',
    });
  }
  if (options.offline && (known === undefined || (await findInstalled(context, told.key(known.digest))) === undefined)) {
    throw new IngotError('upstream', 'offline-missing', `${release.id} is not installed yet, and an installer uses the network`, {
      hint: 'Build it once without --offline.',
    });
  }
  const medium = await theMedium(context, base, release, arch, options);
  const key = told.key(medium.resolved.digest);
  const reference = referenceOf(release, key);
  const what = `installing ${release.id}`;
  await using _lock = await takeLock(context.host, context.home, installLock(key), {
    what,
    signal: context.signal,
    onWait: () => context.events.message('info', `Waiting for another command that is ${what}.`),
  });
  if (!(await isTaken(context, reference, key))) {
    const found = await findInstalled(context, key);
    if (found !== undefined) context.events.message('info', `${release.id} was installed by an earlier build, which goes on; to install anew, remove ${found}`);
    const disk = found ?? (await install(context, template, base, release, arch, { told, key, medium }));
    await takeInstalled(context, disk, { key, release, arch, medium: medium.resolved, offline: options.offline });
  }
  await dropInstalled(context, key);
  return { reference, resolved: medium.resolved };
}

function referenceOf(release: Release, key: Key): string {
  return `${parseName(release.id, 'an image')}:${tagOf(key)}`;
}

function tagOf(key: Key): string {
  return `installed-${hexOf(key).slice(0, 12)}`;
}

function firmwareOf({ disk, arch }: ResolvedTemplate): 'bios' | 'uefi' {
  return disk.firmware === 'uefi' || arch !== 'amd64' ? 'uefi' : 'bios';
}

/** What stands for a secret, and for where packages come from, in what the key is made of. */
async function whatIsTold(
  context: Context,
  template: ResolvedTemplate,
  base: InstallerBase,
  release: Release,
  arch: Architecture,
  { mirror }: InstallOptions,
): Promise<Told> {
  const kind = INSTALLERS[base.method];
  const wish: InstallWish = { arch, firmware: firmwareOf(template), filesystem: template.disk.filesystem };
  const { answers: own } = base;
  const { subscription } = template;
  const write = (more: Partial<InstallWish>): AnswerFiles => {
    const files = writeAnswers(base.method, baseFacts(release, { ...wish, ...more }));
    return own === undefined ? files : ownAnswers(files, kind.answerName, own.text);
  };
  const registered = (secret: string | undefined): Pick<InstallWish, 'subscription'> =>
    subscription === undefined || secret === undefined || own !== undefined ? {} : { subscription: subscriptionFacts(subscription, secret) };
  const { files, overlay } = write(registered(subscription?.secret));
  const texts = hashValue([files, overlay]);
  return {
    kind,
    key: (medium) =>
      keyOf({
        source: 'installer',
        driver: DRIVER,
        kind: base.method,
        medium: hexOf(medium),
        answers: texts,
        arguments: base.arguments,
        arch,
        firmware: wish.firmware,
        size: template.disk.size,
      }),
    files: async () => {
      const value = subscription?.secret === undefined ? undefined : await (await openSecrets(context)).value(subscription.secret);
      const facts = { ...wish, ...(mirror === undefined || release.family !== 'debian' ? {} : { mirror }), ...registered(value) };
      return { answers: write(facts), secrets: own === undefined ? installSecrets(baseFacts(release, facts)) : [] };
    },
  };
}

/** Runs the installer; the disk that it has made, which stays until it is in the store. */
async function install(
  context: Context,
  template: ResolvedTemplate,
  base: InstallerBase,
  release: Release,
  arch: Architecture,
  { told, key, medium }: { readonly told: Told; readonly key: Key; readonly medium: TheMedium },
): Promise<HostPath> {
  const { host, home, events } = context;
  await sweepInstalled(context);
  const free = await host.files.freeSpace(home.root);
  if (free < SPACE_NEEDED) {
    throw new IngotError('space', 'disk-full', `Installing ${release.id} needs ${formatSize(SPACE_NEEDED)} at ${home.root}, and ${formatSize(free)} are free`, {
      hint: 'Free some space: `ingot image prune` and `ingot iso remove` help.',
    });
  }
  await using scratch = await makeScratch(host, home, `installing ${release.id}`);
  const disk = hostPath(join(scratch.path, 'disk.qcow2'));
  const boot = await bootFiles(medium, base, release, arch, told.kind, context, scratch.path);
  const { answers, secrets } = await told.files();
  const mask = masker(secrets);
  const repository = release.installer?.media[arch]?.repository;
  const words = [...told.kind.arguments({ label: boot.label, repository }), ...(base.arguments === undefined ? [] : [base.arguments])];
  const logs = await makeInstallLogs(host, home, release.id, key);
  events.message('info', `The console of the installer of ${release.id}, and pictures of its screen, are in ${logs}`);
  try {
    await events.stage(`installing ${release.id}`, (span) =>
      runInstallation(
        context,
        {
          name: release.id,
          kind: told.kind,
          arch,
          firmware: firmwareOf(template),
          kernel: boot.kernel,
          initrd: boot.initrd,
          kernelArguments: words,
          ...(medium.iso === undefined ? {} : { medium: medium.iso }),
          answers: packedAnswers(answers),
          delivery: answers.delivery,
          diskSize: template.disk.size,
          mask,
        },
        { disk, scratch: scratch.path, logs, span },
      ),
    );
  } catch (error) {
    throw mask.error(error);
  }
  return await keepInstalled(context, key, disk);
}

async function takeInstalled(
  context: Context,
  path: HostPath,
  {
    key,
    release,
    arch,
    medium,
    offline,
  }: { readonly key: Key; readonly release: Release; readonly arch: Architecture; readonly medium: ResolvedImage; readonly offline: boolean },
): Promise<void> {
  const { digest, vouched } = medium;
  const image = { key, digest, name: parseName(release.id, 'an image'), tag: tagOf(key), vouched };
  await context.events.stage(`${release.id} into the store`, () => takeIn(context, { ...image, path, installed: { release, arch }, offline }));
}

/** Kernel and initrd, out of the medium where it is an ISO; which is looked at first. */
async function bootFiles(
  { iso: path, netboot }: TheMedium,
  { medium }: InstallerBase,
  release: Release,
  arch: Architecture,
  kind: InstallerKind,
  { host, events }: Context,
  folder: HostPath,
): Promise<{ readonly kernel: HostPath; readonly initrd: HostPath; readonly label: string | undefined }> {
  if (netboot !== undefined) return { ...netboot, label: undefined };
  if (path === undefined) throw new IngotError('internal', 'medium-empty', 'An installer has neither a medium nor a kernel');
  const iso = await IsoImage.open(host.files, path);
  const identity = await identifyMedium(iso);
  checkMedium(identity, release, arch, medium.kind === 'catalog' ? `the installer of ${release.id}` : path);
  if (identity === undefined) events.message('warn', `${path} does not say what it installs (its label is "${iso.label}"); it is taken for ${release.id}.`);
  return { ...(await extractBootFiles(iso, kind, arch, folder)), label: iso.label };
}

import { BUILDERS } from './builders/builders.ts';
import type { BuilderInput } from './builders/builder.ts';
import { firmwareOf } from './install.ts';
import type { ProjectOptions } from './make-project.ts';
import { sourceName } from './project.ts';
import { KEY_FILE } from './ssh.ts';
import { secretName } from './script.ts';

export interface ReadmeInput {
  readonly input: BuilderInput;
  readonly options: ProjectOptions;
  readonly secrets: readonly string[];
  readonly notCarried: readonly string[];
}

/** What a person has to know of a project, beside the project. Pure. */
export function readme({ input, options, secrets, notCarried }: ReadmeInput): string {
  const { template, release, image, installation } = input;
  const { builders, format } = options;
  const name = template.name;
  const isUefi = image === undefined && firmwareOf(input) === 'uefi' && builders.includes('proxmox-iso');
  const start =
    image !== undefined
      ? `the image ${image.reference} of ingot, as a disk`
      : installation === undefined
        ? 'a template that is there'
        : `the installation medium of ${release.name} ${release.version}, which is told what to do by \`http/\``;
  return `# ${name}, built by Packer

Made by \`ingot packer export\`. It starts from ${start}, and runs \`scripts/\` in the order of their numbers. Everything is yours to edit.

## Build

Packer 1.7 and later fetches its plugins first, once: \`packer init plugins/\`. Packer 1.6, as in Debian 12, has them built in and must not do that;
\`plugins/\` is no part of what \`packer build .\` reads, so the project is valid for both.

    packer validate .
${builders.map((each) => `    packer build -only='${each}.${sourceName(name)}' .${' '.repeat(Math.max(1, 16 - each.length))}# ${BUILDERS[each].use}`).join('\n')}
${builders.includes('qemu') ? `\nWithout KVM: \`-var accelerator=tcg\`. \`ingot packer build .\` finds out by itself, and takes the disk into ingot's store.\n` : ''}${isUefi ? `\nThe machine has UEFI, of which proxmox-iso knows since Packer 1.7 alone: remove \`proxmox-iso.pkr.${format}\`, and its line in \`build.pkr.${format}\`, for 1.6.\n` : ''}
## What it is told

\`variables.pkr.${format}\` has what all builders share, each builder's file its own. Values that stand for yours (\`example.org\`, \`change-me\`) have to be
replaced: by \`-var\`, by \`PKR_VAR_name\` in the environment, or in a file \`mine.auto.pkrvars.${format}\`.
${secrets.length === 0 ? '' : `\nSecrets come from the environment, so that no file holds them: ${secrets.map((secret) => `\`PKR_VAR_${secretName(secret)}\``).join(', ')}.\n`}${installation !== undefined && installation.checksum === undefined ? `\nThe medium has to be given, with its checksum: \`-var iso_url=… -var iso_checksum=sha256:…\`.\n` : ''}
The account \`${options.account.name}\` is there for the build alone: its key is \`${KEY_FILE}\`, made for this project, and it is removed before the machine goes off.
Keep the key out of version control; another one has to be told to the answers as well. \`ssh_timeout\` (30 minutes) and 100 handshakes outlast an installation by emulation.

## What did not carry over

${notCarried.length === 0 ? 'Nothing that the template says.' : notCarried.map((text) => `- ${text}`).join('\n')}

What differs from ingot in any case: steps run as root in a booted machine over SSH, one after the other and each time; a shutdown writes to the disk after
\`90-seal.sh\` has cleaned it (logs, the seed of random numbers).
`;
}

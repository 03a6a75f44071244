import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { TAR_END, tarHeader, tarPadding } from '../../../src/store/tar.ts';
import type { RoleCase } from './case.ts';

/** A program that answers as Terraform or OpenTofu does, as far as the role's tests ask. */
const program = (name: string): string => `#!/bin/sh
case $1 in
  version) echo '${name} v0.0.0-stand-in' ;;
  init) test -r "$TF_CLI_CONFIG_FILE" && echo '${name} has been successfully initialized!' ;;
  apply) grep -q '6 \\* 7' main.tf && echo 'answer = 42' ;;
  *) exit 1 ;;
esac
`;

/** An archive of one program, which unpacking makes executable: the mode in the header is changed, and with it the header's sum. */
function archive(name: string, content: string): Uint8Array {
  const bytes = Buffer.from(content);
  const header = Buffer.from(tarHeader(name, bytes.length));
  header.write('0000755\0', 100, 'latin1');
  header.write('        ', 148, 'latin1');
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return gzipSync(Buffer.concat([header, bytes, tarPadding(bytes.length), TAR_END]));
}

const tofu = archive('tofu', program('OpenTofu'));

export const cases: readonly RoleCase[] = [
  {
    role: 'terraform',
    standIn: {
      repositories: [
        {
          name: 'hashicorp',
          packages: [{ name: 'terraform', version: '1.14.0-1', files: { '/usr/bin/terraform': { content: program('Terraform'), mode: '0755' } } }],
        },
      ],
    },
  },
  {
    role: 'terraform',
    variant: 'opentofu',
    standIn: { files: { 'v1.12.5/tofu_1.12.5_linux_amd64.tar.gz': tofu } },
    served: ({ url }) => ({
      parameters: { flavour: 'opentofu', 'opentofu-releases': url, 'opentofu-sha256': createHash('sha256').update(tofu).digest('hex') },
    }),
  },
];

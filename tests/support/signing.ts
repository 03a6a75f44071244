import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../src/base/programs.ts';
import { realHost } from '../../src/base/host.ts';
import { keyFingerprints } from '../../src/base/openpgp.ts';
import type { Argv } from '../../src/base/process.ts';

const host = realHost();

/** Whether keys can be made and signatures be verified here. */
export const CAN_SIGN = (await findProgram(host, 'gpg')) !== undefined && (await findProgram(host, 'gpgv')) !== undefined;

export interface Signer {
  /** The public key, armored. */
  readonly key: Uint8Array;
  readonly fingerprint: string;
  detached(data: Uint8Array, options?: { readonly armor?: boolean; readonly at?: string }): Promise<Uint8Array>;
  inline(text: string): Promise<Uint8Array>;
  /** The public key after its owner revoked it. */
  revoked(): Promise<Uint8Array>;
}

/** Keys of a test, in a keyring of its own. */
export interface Signers extends AsyncDisposable {
  /** A new key; it ends after `days`, counted from `made` (`20200101T000000`), and signs with a subkey where it is asked to. */
  make(name: string, options?: { readonly made?: string; readonly days?: number; readonly subkey?: boolean }): Promise<Signer>;
}

export function openSigners(): Signers {
  const home = mkdtempSync(join(tmpdir(), 'ingot-gpg-'));
  const gpg = async (words: readonly string[], input?: string | Uint8Array): Promise<string> => {
    const argv: Argv = ['gpg', '--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', '--trust-model', 'always', ...words];
    return (await host.processes.run(argv, { ...(input === undefined ? {} : { stdin: input }) })).stdout;
  };
  const counter = { files: 0 };
  const outFile = (): string => join(home, `out-${(counter.files += 1)}`);
  const atTime = (at: string | undefined): readonly string[] => (at === undefined ? [] : ['--faked-system-time', `${at}!`]);
  return {
    async make(name, { made, days, subkey = false } = {}) {
      const until = days === undefined ? 'never' : `${days}d`;
      const user = `${name} <${name}@example.org>`;
      await gpg([...atTime(made), '--quick-generate-key', user, 'ed25519', subkey ? 'cert' : 'sign', until]);
      const fingerprint = keyFingerprints(Buffer.from(await gpg([...atTime(made), '--armor', '--export', user])))[0] ?? '';
      if (subkey) await gpg(['--quick-add-key', fingerprint, 'ed25519', 'sign', 'never']);
      const key = Buffer.from(await gpg(['--armor', '--export', fingerprint]));
      const sign = async (words: readonly string[], data: string | Uint8Array, at?: string): Promise<Uint8Array> => {
        const path = outFile();
        await gpg([...atTime(at ?? made), '--local-user', fingerprint, '--output', path, ...words], data);
        return await host.files.read(path);
      };
      return {
        key,
        fingerprint,
        detached: (data, { armor = true, at } = {}) => sign([...(armor ? ['--armor'] : []), '--detach-sign'], data, at),
        inline: (text) => sign(['--clear-sign'], text),
        async revoked() {
          const path = join(home, 'openpgp-revocs.d', `${fingerprint}.rev`);
          // gpg guards its own file against mistakes with a colon.
          const text = Buffer.from(await host.files.read(path)).toString('utf8');
          await gpg(['--import'], text.replace(':-----BEGIN', '-----BEGIN'));
          return Buffer.from(await gpg(['--armor', '--export', fingerprint]));
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await host.processes.run(['gpgconf', '--homedir', home, '--kill', 'gpg-agent'], { accept: [1, 2] }).catch(() => undefined);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

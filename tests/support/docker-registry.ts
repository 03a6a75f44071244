import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startServer } from './server-of-others.ts';

/** Whether a program can be started here. */
export function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).error === undefined;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `localhost:<port>` */
  readonly server: string;
  readonly folder: string;
  /** The certificate in PEM; with TLS. */
  readonly ca: string;
  /** SHA-256 of the certificate in hexadecimal; with TLS. */
  readonly fingerprint: string;
}

export const REGISTRY_USER = { user: 'ingot', password: 'a:secret' } as const;

/** Starts Debian's docker-registry in a folder of its own: with TLS and htpasswd, or with neither. */
export async function startDockerRegistry({ secure }: { readonly secure: boolean }): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-registry-'));
  const port = await freePort();
  const [key, ca] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
  let fingerprint = '';
  if (secure) {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key, '-out', ca, ...subject],
      { stdio: 'ignore' },
    );
    const said = execFileSync('openssl', ['x509', '-in', ca, '-noout', '-fingerprint', '-sha256'], { encoding: 'utf8' });
    fingerprint = said.trim().replace(/^.*=/, '').replaceAll(':', '').toLowerCase();
    writeFileSync(join(folder, 'htpasswd'), execFileSync('htpasswd', ['-nbB', REGISTRY_USER.user, REGISTRY_USER.password], { encoding: 'utf8' }));
  }
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: `127.0.0.1:${port}`, ...(secure ? { tls: { certificate: ca, key } } : {}) },
    ...(secure ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const running = await startServer('docker-registry', ['serve', join(folder, 'config.yml')], `http://127.0.0.1:${port}/`, {});
  return {
    server: `localhost:${port}`,
    folder,
    ca,
    fingerprint,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

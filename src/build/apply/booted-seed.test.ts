import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { bootedSeed } from './booted-seed.ts';

test('cloud-init does nothing but start a server of its own, by a script that a shell can read', () => {
  const { userData, metaData } = bootedSeed('build-1', 'ssh-ed25519 AAAA ingot\n');
  expect(userData.split('\n')[0]).toBe('#cloud-config');
  const config: unknown = parse(userData);
  expect(config).toMatchObject({ cloud_init_modules: ['bootcmd'], cloud_config_modules: [], cloud_final_modules: [] });
  expect(JSON.parse(metaData)).toEqual({ 'instance-id': 'build-1' });
  const [shell, flags, script, name, key, server] = JSON.parse(userData.slice(userData.indexOf('{'))).bootcmd[0];
  expect([shell, flags, name, key]).toEqual(['sh', '-ec', 'sh', 'ssh-ed25519 AAAA ingot']);
  execFileSync('sh', ['-n'], { input: script });
  // Nothing of it may be on the disk: both the server's files and who may log in are in memory.
  for (const line of String(server)
    .split('\n')
    .filter((text) => /(HostKey|AuthorizedKeysFile) /.test(text)))
    expect(line).toContain(' /run/ingot/');
});

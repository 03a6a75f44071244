import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CAN_SIGN, openSigners, type Signer, type Signers } from '../../../tests/support/signing.ts';
import { realHost } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { judge, verifyDetached, verifyInline, type SignedBy } from './signature.ts';

const host = realHost();
const DATA = Buffer.from('0123  image.qcow2\n');

describe.skipIf(!CAN_SIGN)('signatures (needs gpg and gpgv)', () => {
  let signers: Signers;
  let vendor: Signer;
  let other: Signer;
  let folder: HostPath;
  let file: string;

  beforeAll(async () => {
    signers = openSigners();
    vendor = await signers.make('vendor');
    other = await signers.make('other');
  }, 120_000);
  afterAll(() => signers[Symbol.asyncDispose]());
  beforeEach(async () => {
    folder = hostPath(await mkdtemp(join(tmpdir(), 'ingot-signature-')));
    file = join(folder, 'data');
    await writeFile(file, DATA);
    return () => rm(folder, { recursive: true });
  });

  const by = (changes: Partial<SignedBy> = {}): SignedBy => ({
    keys: [vendor.key],
    fingerprints: [vendor.fingerprint],
    what: 'SHA256SUMS',
    scratch: folder,
    signal: new AbortController().signal,
    ...changes,
  });

  test.each([true, false])('a detached one of a pinned key is good (armored: %s)', async (armor) => {
    expect(await verifyDetached(host, await vendor.detached(DATA, { armor }), file, by())).toBe(vendor.fingerprint);
  });

  test('a subkey of a pinned key signs for it', async () => {
    const signer = await signers.make('with-subkey', { subkey: true });
    const options = by({ keys: [signer.key], fingerprints: [other.fingerprint, signer.fingerprint] });
    expect(await verifyDetached(host, await signer.detached(DATA), file, options)).toBe(signer.fingerprint);
  });

  test('of a clear-signed text, only what is signed is returned', async () => {
    const signed = Buffer.from(await vendor.inline('- begins with a dash\n0123  image.qcow2\n')).toString('utf8');
    const { text, fingerprint } = await verifyInline(host, Buffer.from(`evil  image.qcow2\n${signed}evil  image.qcow2\n`), by());
    expect(Buffer.from(text).toString('utf8')).toBe('- begins with a dash\n0123  image.qcow2\n');
    expect(fingerprint).toBe(vendor.fingerprint);
  });

  test('other bytes', async () => {
    await writeFile(file, 'other');
    await expect(verifyDetached(host, await vendor.detached(DATA), file, by())).rejects.toMatchObject({ code: 'signature-wrong', class: 'verification' });
    const signed = Buffer.from(await vendor.inline('0123  image.qcow2\n'))
      .toString('utf8')
      .replace('0123', '0124');
    await expect(verifyInline(host, Buffer.from(signed), by())).rejects.toMatchObject({ code: 'signature-wrong' });
  });

  test('a key that is not there, or there and not pinned: both are named', async () => {
    const signature = await other.detached(DATA);
    for (const keys of [[vendor.key], [vendor.key, other.key]]) {
      await expect(verifyDetached(host, signature, file, by({ keys }))).rejects.toMatchObject({
        code: 'signature-key-unknown',
        detail: `signed by  ${other.fingerprint}\npinned     ${vendor.fingerprint}`,
      });
    }
  });

  test('while keys change, one good signature of two is enough', async () => {
    const both = Buffer.concat([await other.detached(DATA, { armor: false }), await vendor.detached(DATA, { armor: false })]);
    expect(await verifyDetached(host, both, file, by())).toBe(vendor.fingerprint);
  });

  test('an expired key, and a revoked one', async () => {
    const old = await signers.make('old', { made: '20200101T000000', days: 30 });
    const options = by({ keys: [old.key], fingerprints: [old.fingerprint] });
    await expect(verifyDetached(host, await old.detached(DATA), file, options)).rejects.toMatchObject({ code: 'signature-key-expired' });
    const gone = await signers.make('gone');
    const signature = await gone.detached(DATA);
    const revoked = by({ keys: [await gone.revoked()], fingerprints: [gone.fingerprint] });
    await expect(verifyDetached(host, signature, file, revoked)).rejects.toMatchObject({ code: 'signature-key-revoked' });
  });

  test('one that is cut off, or none at all', async () => {
    const signature = await vendor.detached(DATA, { armor: false });
    for (const bytes of [signature.subarray(0, 40), Buffer.alloc(0), Buffer.from('<html>not here</html>')]) {
      await expect(verifyDetached(host, bytes, file, by())).rejects.toMatchObject({ code: 'signature-missing' });
    }
    const inline = await vendor.inline('0123  image.qcow2\n');
    for (const bytes of [inline.subarray(0, inline.length - 60), DATA]) {
      await expect(verifyInline(host, bytes, by())).rejects.toMatchObject({ code: 'signature-missing' });
    }
  });
});

test('the status lines of gpgv decide, and what is not known to be good is not', () => {
  const about = { what: 'SHA256SUMS', fingerprints: ['A'.repeat(40)] };
  const status = (...words: string[]): string => words.map((line) => `[GNUPG:] ${line}\n`).join('');
  expect(() => judge('', 'gpgv: nothing', about)).toThrow('no whole signature');
  expect(() => judge(status('NEWSIG', `VALIDSIG ${'A'.repeat(40)} x ${'A'.repeat(40)}`), '', about)).toThrow('no whole signature');
  expect(() => judge(status('NEWSIG', 'EXPSIG A me', `VALIDSIG ${'A'.repeat(40)} x ${'A'.repeat(40)}`), '', about)).toThrow('has expired');
  expect(() => judge(status('NEWSIG', 'ERRSIG ABCD 1 1 00 1 4 -'), '', about)).toThrow('cannot be checked');
  expect(judge(status('NEWSIG', 'GOODSIG A me', `VALIDSIG ${'B'.repeat(40)} x ${'A'.repeat(40)}`), '', about)).toBe('A'.repeat(40));
});

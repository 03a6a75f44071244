import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv, type AnySchemaObject } from 'ajv';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { remoteContext } from '../../tests/support/remote-lab.ts';
import { putSampleImage, recordsOf, removeSampleHomes, sampleGate, sampleHome } from '../../tests/support/sample-images.ts';
import { hexOf } from '../base/types.ts';
import { installedPackages } from '../diff/images.ts';
import { inTotoStatement, PAYLOAD_TYPE, preAuthentication, provenStatement, signStatement } from './envelope.ts';
import { parsePackageLines, tellsPackages } from './installed.ts';
import { parsePublicKey, pemOf, signingKey } from './keys.ts';
import { packageUrl } from './package-url.ts';
import { provenanceOf } from './provenance.ts';
import { makeSbom } from './sbom.ts';
import { knownLayers, signImage, trustOf } from './sign-image.ts';
import { checkSignatures } from './check-signatures.ts';

afterAll(removeSampleHomes);

const SCHEMAS = join(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'), '..', 'res', 'schema');
const schema = (name: string): AnySchemaObject => JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8'));

describe('bills of materials', () => {
  test("CycloneDX's own schema accepts ours", async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const packages = installedPackages(image.config['dev.ingot.image']);
    const document = makeSbom('cyclonedx', image, 'web', packages);
    // Formats are names of checks that this validator does not bring; the one that matters here is checked below.
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
      const file = `${name}.SNAPSHOT.schema.json`;
      if (existsSync(join(SCHEMAS, file))) ajv.addSchema({ ...schema(file), $id: `http://cyclonedx.org/schema/${file}` });
    }
    const validate = ajv.compile(schema('bom-1.6.SNAPSHOT.schema.json'));
    expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
    expect(document).toMatchObject({
      specVersion: '1.6',
      components: [{ name: 'package-of-base of web', purl: expect.stringMatching(/^pkg:deb\/debian\//) }, {}],
    });
    expect(makeSbom('cyclonedx', image, 'web', packages)).toEqual(document);
    expect(validate({ ...document, components: [{ type: 'nothing' }] })).toBe(false);
  });

  const spdx = spawnSync('pyspdxtools', ['--help'], { stdio: 'ignore' }).status === 0;
  test.skipIf(!spdx)("SPDX's own tool accepts ours (skipped where pyspdxtools is not installed)", { timeout: 300_000 }, async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const file = join(at.home.root, 'web.spdx.json');
    writeFileSync(file, JSON.stringify(makeSbom('spdx', image, 'web', installedPackages(image.config['dev.ingot.image']))));
    execFileSync('pyspdxtools', ['--infile', file], { stdio: 'pipe' });
  });

  test('SPDX names each package once, and what contains it', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const document = makeSbom('spdx', image, 'web', installedPackages(image.config['dev.ingot.image']));
    expect(document).toMatchObject({
      spdxVersion: 'SPDX-2.3',
      documentDescribes: ['SPDXRef-Image'],
      packages: [{ SPDXID: 'SPDXRef-Image', checksums: [{ checksumValue: hexOf(image.digest) }] }, { versionInfo: '1.0-1' }, { versionInfo: '1.0-1' }],
      relationships: [{ relationshipType: 'DESCRIBES' }, { relationshipType: 'CONTAINS' }, { relationshipType: 'CONTAINS' }],
    });
    expect(String(document['documentNamespace'])).toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('package URLs by family', () => {
    const url = (family: string, release: string, version: string) => packageUrl({ name: 'g++', version, arch: 'amd64' }, { family, release });
    expect(url('debian', 'debian-12', '4:12.2.0-3')).toBe('pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64&distro=debian-12');
    expect(url('rhel', 'rocky-9', '1:2.0-3.el9')).toBe('pkg:rpm/rocky/g%2B%2B@2.0-3.el9?arch=amd64&distro=rocky-9&epoch=1');
    expect(url('alpine', 'alpine-3.20', '1.2-r0')).toBe('pkg:apk/alpine/g%2B%2B@1.2-r0?arch=amd64&distro=alpine-3.20');
  });

  test('what a package manager printed is read whatever it is', () => {
    expect(parsePackageLines('b\t2-1\tamd64\na\t1\tall\ngpg-pubkey\t1\t(none)\nhalf\n\nx\t1\t\n')).toEqual([
      { name: 'a', version: '1', arch: 'all' },
      { name: 'b', version: '2-1', arch: 'amd64' },
      { name: 'x', version: '1', arch: 'none' },
    ]);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\t', '\n', ' ', 'a', 'ä', '-', '1', '\0') }), (text) =>
        parsePackageLines(text).every(({ name, version, arch }) => name !== '' && version !== '' && arch !== ''),
      ),
    );
  });

  test('layers that ran a program do not tell all packages', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const withKind = (kind: string, family = 'debian') => {
      const details = image.config['dev.ingot.image'];
      return { config: { ...image.config, 'dev.ingot.image': { ...details, family, layers: details.layers.map((layer) => ({ ...layer, kind })) } } };
    };
    expect([withKind('role'), withKind('run'), withKind('packages', 'rhel'), withKind('copy', 'rhel')].map(tellsPackages)).toEqual([true, false, false, true]);
    await at.store.addStatements(image, [{ kind: 'packages', content: { v: 1, packages: [], read: '2026-01-01T00:00:00.000Z' } }]);
    expect((await at.store.statements(image)).map(({ kind }) => kind)).toEqual(['packages']);
  });
});

test('provenance names the template, the layers with their keys, and the inputs that the cache knows', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
  const [base, top] = await recordsOf(at.store, image);
  const hash = createHash('sha256').update('x').digest('hex');
  const known = new Map(
    [...(await knownLayers(remoteContext(at), image))].map(([key, record]) => [key, { ...record, inputs: { files: hash, name: 'no hash' } }]),
  );
  expect(provenanceOf(image, known)).toMatchObject({
    buildDefinition: {
      externalParameters: { template: { name: 'web', digest: { sha256: hexOf(top?.key ?? image.digest) } }, release: 'debian-12' },
      internalParameters: { layers: [{ key: hexOf(base?.key ?? image.digest), digest: { sha256: hexOf(base?.digest ?? image.digest) } }, {}] },
      resolvedDependencies: [{ name: 'base of web/files', digest: { sha256: hash } }, { name: 'web/files' }],
    },
    runDetails: { builder: { id: expect.stringMatching(/^https:/) }, metadata: { finishedOn: image.created } },
  });
});

describe('signatures', () => {
  test('an envelope is what DSSE says: its pre-authentication encoding is signed', () => {
    expect(Buffer.from(preAuthentication('http://example.com/HelloWorld', Buffer.from('hello world'))).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  test('the key is made once, kept in the secret store, and any tool can check with it', async () => {
    await using at = await sampleHome();
    const context = remoteContext(at);
    const [one, two] = await Promise.all([signingKey(context), signingKey(remoteContext(at))]);
    expect(one.public.text).toBe(two.public.text);
    expect((await at.host.files.status(at.home.secrets))?.mode).toBe(0o600);
    const digest = (await putSampleImage(at.store, at.home, 'web', ['latest'])).digest;
    const envelope = signStatement(inTotoStatement({ name: 'web', digest }, 'https://example.org/x', { a: 1 }), one);
    const bytes = preAuthentication(PAYLOAD_TYPE, Buffer.from(envelope.payload, 'base64'));
    expect(verify(null, bytes, createPublicKey(pemOf(one.public)), Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'))).toBe(true);
    expect(provenStatement(envelope, digest, [parsePublicKey(one.public.text)])?.signer.id).toBe(one.public.id);
    expect(() => parsePublicKey('ed25519:short')).toThrowError(expect.objectContaining({ code: 'key-invalid' }));
    const other = { ...context, host: { ...context.host, env: { INGOT_SECRET_SIGNING_KEY: 'no key' } } };
    await expect(signingKey(other)).rejects.toMatchObject({ code: 'signing-key-invalid', message: expect.not.stringContaining('no key') });
    const pem = String(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const given = await signingKey({ ...context, host: { ...context.host, env: { INGOT_SECRET_SIGNING_KEY: pem } } });
    expect(given.public.text).not.toBe(one.public.text);
  });

  test('a changed envelope, another image and another key prove nothing', async () => {
    await using at = await sampleHome();
    const key = await signingKey(remoteContext(at));
    const [web, db] = [await putSampleImage(at.store, at.home, 'web', ['latest']), await putSampleImage(at.store, at.home, 'db', ['latest'])];
    const envelope = signStatement(inTotoStatement({ name: 'web', digest: web.digest }, 'https://example.org/x', {}), key);
    expect(provenStatement(envelope, db.digest, [key.public])).toBeUndefined();
    expect(provenStatement(envelope, web.digest, [])).toBeUndefined();
    expect(provenStatement({ ...envelope, payloadType: 'text/plain' }, web.digest, [key.public])).toBeUndefined();
    const payload = Buffer.from(envelope.payload, 'base64');
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), (where, change) => {
        const forged = Buffer.from(payload);
        forged[where] = (forged[where] ?? 0) ^ change;
        expect(provenStatement({ ...envelope, payload: forged.toString('base64') }, web.digest, [key.public])).toBeUndefined();
      }),
    );
  });

  test('an image is signed with all that is said of it, again without growing, and verify tells', async () => {
    await using at = await sampleHome();
    const context = remoteContext(at);
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    await at.store.addGate(image, sampleGate('passed'));
    expect((await checkSignatures(context, ['web'], undefined)).problems).toMatchObject([{ kind: 'not-signed', images: ['web'] }]);
    const { key } = await signImage(context, 'web');
    await signImage(context, 'web');
    const statements = await at.store.statements(image);
    expect(statements.map(({ kind }) => kind).toSorted()).toEqual(['attestation', 'attestation', 'attestation', 'attestation', 'gate']);
    const trust = trustOf(image.digest, statements, [key]);
    expect(trust).toMatchObject({ signers: [{ id: key.id }], predicates: { length: 4 } });
    expect(trust.named).toEqual(new Set(statements.filter(({ kind }) => kind === 'gate').map(({ contentDigest }) => contentDigest)));
    expect(await checkSignatures(context, undefined, key.text)).toMatchObject({ problems: [], signatures: [{ image: 'web:latest', keys: [key.text] }] });
    const stranger = `ed25519:${Buffer.alloc(32, 7).toString('base64')}`;
    expect((await checkSignatures(context, ['web'], stranger)).problems).toHaveLength(1);
    expect((await at.store.verify()).problems).toEqual([]);
    await at.store.remove('web', new Map());
    expect(await at.host.files.list(at.home.blobs)).toEqual([]);
  });
});

import { describe, expect, test } from 'vitest';
import { cmkProfile, parseIni } from './cmk.ts';
import { failureOf, jobFailure } from './failures.ts';
import { displayText, isOf, templateTags } from './marks.ts';
import { chooseOsType } from './os-types.ts';
import { chooseNetworks, chooseOffering, takesPasswords, templateName } from './plan.ts';
import { encodeRequest, REQUESTS } from './requests.ts';
import { checkServeAddress, isPrivate, ownAddressTowards, parseServeAddress } from './serve-address.ts';
import { joinKeys, parseApiUrl, parseKeys } from './target.ts';
import { trialName } from './trial.ts';
import { keyFromHex } from '../../base/types.ts';
import { sampleConfig } from '../../../tests/support/sample-images.ts';

const types = (...names: string[]) => names.map((description, index) => ({ id: `id-${index}`, description }));

describe('the OS type', () => {
  const ALL = types(
    'Debian GNU/Linux 10 (64-bit)',
    'Debian GNU/Linux 12 (64-bit)',
    'Debian GNU/Linux 12 (32-bit)',
    'CentOS 7.9',
    'CentOS Stream 9',
    'Rocky Linux 9',
    'Ubuntu 22.04 LTS',
    'Ubuntu 24.04 LTS',
    'Other Linux (64-bit)',
    'Other (64-bit)',
  );
  test.each([
    ['debian-12', 'Debian GNU/Linux 12 (64-bit)'],
    ['debian-11', 'Debian GNU/Linux 10 (64-bit)'],
    ['debian-13', 'Debian GNU/Linux 12 (64-bit)'],
    ['ubuntu-24.04', 'Ubuntu 24.04 LTS'],
    ['ubuntu-25.10', 'Ubuntu 24.04 LTS'],
    ['centos-stream-9', 'CentOS Stream 9'],
    ['rocky-9', 'Rocky Linux 9'],
    ['rocky-9.5', 'Rocky Linux 9'],
    ['rocky-8', 'Other Linux (64-bit)'],
    ['alpine-3.22', 'Other Linux (64-bit)'],
    ['arch', 'Other Linux (64-bit)'],
  ])('of %s is %s', (release, expected) => {
    expect(chooseOsType(ALL, release, undefined).description).toBe(expected);
  });
  test('is the one that is asked for, or an error with the nearest', () => {
    expect(chooseOsType(ALL, 'debian-12', 'rocky linux 9').description).toBe('Rocky Linux 9');
    expect(() => chooseOsType(ALL, 'debian-12', 'Rocky Linux 8')).toThrow(
      expect.objectContaining({ code: 'os-type-unknown', hint: expect.stringContaining('Rocky Linux 9') }),
    );
    expect(() => chooseOsType([], 'debian-12', undefined)).toThrow(expect.objectContaining({ code: 'os-type-unknown' }));
  });
});

test('the trial gets the smallest offering of a fixed size that will do, on the only network', () => {
  const offering = (name: string, memory: number, more = {}) => ({ id: `id-${name}`, name, memory, cpunumber: 1, iscustomized: false, ...more });
  const all = [
    offering('big', 8192),
    offering('tiny', 128),
    offering('custom', 512, { iscustomized: true }),
    offering('small', 1024),
    offering('off', 512, { state: 'Inactive' }),
  ];
  const zone = { name: 'z1' };
  expect(chooseOffering(all, undefined, zone).name).toBe('small');
  expect(chooseOffering(all, 'id-big', zone).name).toBe('big');
  expect(() => chooseOffering(all, 'smal', zone)).toThrow(expect.objectContaining({ code: 'offering-unknown', hint: expect.stringContaining('small') }));
  const network = (name: string) => ({ id: `id-${name}`, name, canusefordeploy: true });
  expect(chooseNetworks([], undefined, zone)).toBeUndefined();
  expect(chooseNetworks([network('lab')], undefined, zone)?.[0]?.name).toBe('lab');
  expect(() => chooseNetworks([network('a'), network('b')], undefined, zone)).toThrow(expect.objectContaining({ code: 'network-ambiguous' }));
  expect(chooseNetworks([network('a'), network('b')], ['b'], zone)?.[0]?.name).toBe('b');
});

test('passwords are switched on where something in the image fetches them', () => {
  const layer = (name: string, kind: string, packages: string[] = []) => ({
    name,
    kind,
    key: keyFromHex('0'.repeat(64)),
    packages: packages.map((one) => ({ name: one, version: '1', arch: 'amd64' })),
  });
  expect(takesPasswords({ layers: [layer('debian-12', 'bootstrap', ['curl', 'cloud-init'])] })).toBe(false);
  expect(takesPasswords({ layers: [layer('debian-12', 'bootstrap'), layer('cloudstack', 'role')] })).toBe(true);
  expect(takesPasswords({ layers: [layer('debian-12', 'bootstrap', ['wget'])] })).toBe(true);
});

test('the address of the API is found from that of the web interface, and keys are read from one text', () => {
  for (const text of ['cloud.example.org', 'https://cloud.example.org/', 'https://cloud.example.org/client/', 'https://cloud.example.org/client/api']) {
    expect(parseApiUrl(text)).toBe('https://cloud.example.org/client/api');
  }
  expect(parseApiUrl('http://192.0.2.1:8080/client')).toBe('http://192.0.2.1:8080/client/api');
  expect(parseApiUrl('https://cloud.example.org/eu/api')).toBe('https://cloud.example.org/eu/api');
  for (const text of ['', 'ftp://x', 'https://user:secret@x', 'https://'])
    expect(() => parseApiUrl(text)).toThrow(expect.objectContaining({ code: 'target-url-invalid' }));
  expect(() => parseApiUrl('https://user:secret@x')).toThrow(expect.not.stringContaining('secret'));
  expect(parseKeys(joinKeys({ apiKey: 'a-B_1', secretKey: 'c-D_2' }))).toEqual({ apiKey: 'a-B_1', secretKey: 'c-D_2' });
  expect(parseKeys('a\nb\n')).toEqual({ apiKey: 'a', secretKey: 'b' });
  for (const text of ['', 'only-one', 'a:b:c']) expect(() => parseKeys(text)).toThrow(expect.objectContaining({ code: 'keys-invalid' }));
});

test("cloudmonkey's settings give the profile in use, or a named one", () => {
  const text =
    '[core]\nprofile = local\nverifycert = false\n\n; a comment\n[local]\nurl = http://127.0.0.1:8080/client/api\napikey = AAA\nsecretkey = `b=b#`\n\n[prod]\r\nurl=https://cloud/client/api\r\nusername = admin\r\n';
  expect(cmkProfile(text, undefined, 'f')).toEqual({ name: 'local', url: 'http://127.0.0.1:8080/client/api', apiKey: 'AAA', secretKey: 'b=b#', verify: false });
  expect(() => cmkProfile(text, 'prod', 'f')).toThrow(expect.objectContaining({ code: 'cmk-profile-without-keys' }));
  expect(() => cmkProfile(text, 'locl', 'f')).toThrow(expect.objectContaining({ code: 'cmk-profile-unknown', hint: expect.stringContaining('local') }));
  expect(() => cmkProfile('', undefined, 'f')).toThrow(expect.objectContaining({ code: 'cmk-profile-unknown' }));
  expect([...parseIni(text).keys()]).toEqual(['core', 'local', 'prod']);
});

test('an address to serve at is one from which CloudStack fetches', async () => {
  expect(parseServeAddress('192.0.2.5')).toEqual({ address: '192.0.2.5', port: undefined });
  expect(parseServeAddress('build.example:8000')).toEqual({ address: 'build.example', port: 8000 });
  expect(parseServeAddress('[2001:db8::1]:80')).toEqual({ address: '2001:db8::1', port: 80 });
  expect(parseServeAddress('2001:db8::1')).toEqual({ address: '2001:db8::1', port: undefined });
  for (const text of ['', 'a/b', 'x:99999', 'x:0', 'http://x'])
    expect(() => parseServeAddress(text)).toThrow(expect.objectContaining({ code: 'serve-address-invalid' }));
  for (const text of ['127.0.0.1', '169.254.1.1', '224.0.0.1', '::1', 'fe80::1']) {
    expect(() => checkServeAddress(text, 'https://cloud.example.org')).toThrow(expect.objectContaining({ code: 'serve-address-unfit' }));
    expect(() => checkServeAddress(text, 'http://127.0.0.1:8080')).not.toThrow();
  }
  expect(['10.0.0.1', '192.168.1.1', '172.16.0.1', '172.32.0.1', '192.0.2.1'].map(isPrivate)).toEqual([true, true, true, false, false]);
  expect(await ownAddressTowards('http://127.0.0.1:8080/client/api')).toBe('127.0.0.1');
});

test('texts and tags of a template say whose it is, and fit', () => {
  const details = sampleConfig([])['dev.ingot.image'];
  const image = {
    name: 'web',
    reference: `web:${'x'.repeat(300)}`,
    digest: `sha256:${'a'.repeat(64)}`,
    publication: 'cloudstack-prod-web-aaaaaaaaaaaa',
    details,
  };
  const owner = { publication: image.publication, hypervisor: 'KVM' };
  const text = displayText(image);
  const row = (displaytext: string, tags: { key: string; value: string }[] = [], hypervisor = 'KVM') => ({ displaytext, tags, hypervisor });
  expect(isOf(row(text), owner)).toBe(true);
  expect(isOf(row(text, [], 'VMware'), owner)).toBe(false);
  expect(isOf(row('edited by hand', [{ key: 'ingot-publication', value: image.publication }]), owner)).toBe(true);
  expect(isOf(row(text, [{ key: 'ingot-publication', value: 'another' }]), owner)).toBe(false);
  expect(Object.values(templateTags(image, 'KVM')).every((value) => value.length <= 255)).toBe(true);
  expect(templateName('{name} {version}', { ...image, reference: 'web:20260101' })).toBe('web 20260101');
  expect(() => templateName(' ', image)).toThrow(expect.objectContaining({ code: 'name-pattern-invalid' }));
  for (const name of ['Web.Server_1', '---', 'x'.repeat(100)]) expect(trialName(name, '0a1b2c3d')).toMatch(/^trial-[a-z0-9](?:[a-z0-9-]{0,55}[a-z0-9])?$/);
});

test('all details stand under one index, tags under one each, and lists are joined', () => {
  const fields = encodeRequest(REQUESTS.createTags('id', 'Template', { a: '1', b: '2' }));
  expect(fields).toEqual({
    command: 'createTags',
    resourceids: 'id',
    resourcetype: 'Template',
    'tags[0].key': 'a',
    'tags[0].value': '1',
    'tags[1].key': 'b',
    'tags[1].value': '2',
  });
  const deployed = encodeRequest({ command: 'x', parameters: { details: { rootDiskController: 'virtio', UEFI: 'LEGACY' }, zoneids: ['a', 'b'], flag: true } });
  expect(deployed).toEqual({ command: 'x', 'details[0].rootDiskController': 'virtio', 'details[0].UEFI': 'LEGACY', zoneids: 'a,b', flag: 'true' });
});

test.each([
  [431, 'The xz format is an invalid extension for the URL', 'extension-wrong'],
  [431, 'Illegal host specified in url: loopback', 'address-refused'],
  [431, 'Unable to delete template with id: x because VM instances: [a] are using it.', 'template-in-use'],
  [530, 'Unable to find secondary storage with free capacity', 'secondary-storage-missing'],
  [431, 'Invalid parameter id value=x due to incorrect long value format, or entity does not exist', 'remote-missing'],
  [432, "The given command 'x' either does not exist, is not available for user", 'command-missing'],
  [429, 'reached api limit', 'rate-limited'],
  [431, 'Something else', 'parameter-refused'],
  [599, '', 'server-failed'],
])('the error %i "%s" is %s', (errorcode, errortext, code) => {
  const answer = { status: errorcode, reason: '', date: undefined, text: JSON.stringify({ xresponse: { errorcode, cserrorcode: 4350, errortext } }) };
  const error = failureOf({ command: 'x', parameters: { id: '1' } }, answer, 0);
  expect(error).toMatchObject({ code, detail: 'x id=1' });
  expect(error.message).not.toMatch(/[.\s]$/);
  expect(jobFailure('the work', 'x', { errorcode, errortext }).code).toBe(code);
});

test('an answer that is no API is told, and a refusal with clocks that differ is theirs', () => {
  const answer = (status: number, text = '') => ({ status, reason: '', date: undefined, text });
  const request = { command: 'listZones', parameters: {} };
  expect(failureOf(request, answer(302), 0).code).toBe('no-cloudstack');
  expect(failureOf(request, answer(404, '<html>'), 0).code).toBe('no-cloudstack');
  expect(failureOf(request, answer(401, '{}'), 4000)).toMatchObject({ code: 'clock-skew', message: expect.stringContaining('4000 s ahead of') });
  expect(failureOf(request, answer(401, '{}'), -2).code).toBe('key-refused');
});

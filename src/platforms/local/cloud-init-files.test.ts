import { describe, expect, test } from 'vitest';
import { checkNetworkConfig, checkUserData, checkVendorData, cloudInitText, LARGEST_CLOUD_INIT_FILE, vendorParts } from './cloud-init-files.ts';

const wrong = (code: string, more: object = {}) => expect.objectContaining({ code, class: 'usage', ...more });

describe('user-data', () => {
  test.each([
    '#cloud-config\n',
    '#cloud-config\npackages: [nginx]\n',
    '#!/bin/sh\necho\n',
    '#include\nhttps://example.org/\n',
    '#cloud-boothook\n#!/bin/sh\n',
    '#cloud-config-archive\n- "#!/bin/sh"\n',
    '## template: jinja\n#cloud-config\n{% if x %}\n',
    'Content-Type: multipart/mixed; boundary="x"\n',
  ])('%j', (text) => {
    checkUserData('file', text);
  });

  test.each([
    ['', 'empty'],
    ['packages: [nginx]\n', 'its first line is "packages: [nginx]"'],
    [' #cloud-config\n', 'its first line'],
    ['#cloud-config\n- a\n', 'a #cloud-config is a list of `name: value`'],
    ['#cloud-config-archive\na: 1\n', 'a #cloud-config-archive is a list of parts'],
  ])('%j is none', (text, why) => {
    expect(() => checkUserData('file', text)).toThrow(wrong('user-data-invalid', { message: expect.stringContaining(why) }));
  });

  test('what is no YAML is told at its place', () => {
    const problems = [expect.objectContaining({ position: { file: 'a.yaml', line: 3, column: expect.any(Number) }, source: 'b: @x' })];
    expect(() => checkUserData('a.yaml', '#cloud-config\na: 1\nb: @x\n')).toThrow(wrong('user-data-invalid', { problems: expect.arrayContaining(problems) }));
  });
});

describe('a network configuration', () => {
  test.each(['version: 2\nethernets: {}\n', 'network:\n  version: 1\n  config: []\n'])('%j', (text) => checkNetworkConfig('file', text));
  test.each(['', 'text', '- a\n', 'ethernets: {}\n', 'version: 3\n', 'version: [2\n'])('%j is none', (text) => {
    expect(() => checkNetworkConfig('file', text)).toThrow(wrong('network-config-invalid'));
  });
});

describe('vendor-data', () => {
  test("stands beside ingot's own, so it is not MIME", () => {
    expect(() => checkVendorData('file', 'MIME-Version: 1.0\n')).toThrow(wrong('vendor-data-invalid'));
    checkVendorData('file', '#!/bin/sh\n');
  });
  test('an archive is taken apart', () => {
    expect(vendorParts('#cloud-config-archive\n- "#!/bin/sh"\n- { type: text/cloud-config, content: "a: 1" }\n')).toEqual([
      '#!/bin/sh',
      { type: 'text/cloud-config', content: 'a: 1' },
    ]);
    expect(vendorParts('#!/bin/sh\n')).toEqual([{ content: '#!/bin/sh\n' }]);
  });
});

test('what is no text, or too much of it, is refused', () => {
  expect(cloudInitText('user-data', 'file', Buffer.from('#cloud-config\n'))).toBe('#cloud-config\n');
  for (const bytes of [Buffer.from([0x1f, 0x8b, 8]), Buffer.from([0xff, 0xfe]), Buffer.alloc(LARGEST_CLOUD_INIT_FILE + 1)]) {
    expect(() => cloudInitText('user-data', 'file', bytes)).toThrow(wrong('user-data-invalid'));
  }
});

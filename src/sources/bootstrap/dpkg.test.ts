import { expect, test } from 'vitest';
import { refusedArchives } from './dpkg.ts';

test('what dpkg refuses for a pre-dependency that is not configured yet is told from other failures', () => {
  const stderr = [
    'dpkg: regarding .../gawk_5.2.1_amd64.deb containing gawk, pre-dependency problem:',
    ' gawk pre-depends on libmpfr6 (>= 3.1.3)',
    '  libmpfr6 is not installed.',
    '',
    'dpkg: error processing archive /tmp/debs/gawk_5.2.1_amd64.deb (--unpack):',
    ' pre-dependency problem - not installing gawk',
    'dpkg: error processing archive /tmp/debs/broken_1_all.deb (--unpack):',
    ' new broken package pre-installation script subprocess returned error exit status 2',
    'Errors were encountered while processing:',
    ' /tmp/debs/gawk_5.2.1_amd64.deb',
    ' /tmp/debs/broken_1_all.deb',
  ].join('\n');
  expect(refusedArchives(stderr)).toEqual({ early: ['/tmp/debs/gawk_5.2.1_amd64.deb'], other: 1 });
  expect(refusedArchives('')).toEqual({ early: [], other: 0 });
});

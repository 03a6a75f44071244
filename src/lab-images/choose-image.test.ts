import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildCommand, chooseImage, type ImageFacts, type ImageRequest, type StoredImage } from './choose-image.ts';

function stored(reference: string, more: Partial<StoredImage> = {}): StoredImage {
  return { reference, release: 'debian-12', arch: 'amd64', roles: [], more: [], gate: 'passed', created: '2026-01-01T00:00:00.000Z', ...more };
}

function facts(images: readonly StoredImage[], more: Partial<ImageFacts> = {}): ImageFacts {
  return { images, preferred: {}, defaultRelease: 'debian-12', releases: ['debian-12', 'debian-13'], templates: ['web'], arch: 'amd64', ...more };
}

const docker: ImageRequest = { roles: ['docker'] };
const whyNot = (request: ImageRequest, given: ImageFacts): Record<string, string> =>
  Object.fromEntries(chooseImage(request, given).candidates.flatMap(({ image, fits, why }) => (fits ? [] : [[image, why]])));

describe('by roles', () => {
  const own = stored('debian-12-docker', { roles: ['docker'] });
  const other = stored('containers', { roles: ['docker'], created: '2026-02-01T00:00:00.000Z' });

  test('the preferred image is before the own one, that before others, and those before a build', () => {
    const preferred = { preferred: { docker: 'mine:1' } };
    const mine = stored('mine:1', { roles: ['docker', 'observer'], more: ['packages'] });
    expect(chooseImage(docker, facts([own, other, mine], preferred))).toMatchObject({ action: 'use', image: 'mine:1' });
    expect(chooseImage(docker, facts([own, other], preferred))).toMatchObject({ action: 'use', image: 'debian-12-docker' });
    expect(chooseImage(docker, facts([other]))).toMatchObject({ action: 'use', image: 'containers' });
    expect(chooseImage(docker, facts([]))).toMatchObject({ action: 'build', image: 'debian-12-docker', build: { template: 'debian-12', roles: ['docker'] } });
  });

  test('of others, the newest that passed its gate is taken', () => {
    const newer = stored('newer', { roles: ['docker'], created: '2026-03-01T00:00:00.000Z' });
    const untested = stored('untested', { roles: ['docker'], created: '2026-04-01T00:00:00.000Z', gate: 'not-run' });
    const all = facts([other, untested, newer]);
    expect(chooseImage(docker, all)).toMatchObject({ action: 'use', image: 'newer' });
    expect(chooseImage(docker, all).candidates.at(-1)).toMatchObject({ image: 'newer', fits: true });
    expect(chooseImage(docker, facts([untested]))).toMatchObject({ image: 'untested' });
  });

  test('every image that is not taken has its reason', () => {
    const images = [
      stored('plain'),
      stored('more', { roles: ['docker', 'observer'] }),
      stored('packages', { roles: ['docker'], more: ['packages', 'run'] }),
      stored('failed', { roles: ['docker'], gate: 'failed' }),
      stored('arm', { roles: ['docker'], arch: 'arm64' }),
      stored('damaged', { roles: ['docker'], damaged: 'a layer is missing' }),
      stored('other', { roles: ['docker'], release: 'debian-13' }),
    ];
    expect(whyNot(docker, facts(images))).toEqual({
      'debian-12-docker': 'it is not in the store',
      plain: 'it lacks the role docker',
      more: 'it has the role observer too',
      packages: 'it has more: packages, run',
      failed: 'it did not pass its gate',
      arm: 'it is for arm64',
      damaged: 'it is damaged: a layer is missing',
      other: 'it is debian-13, not debian-12',
    });
  });

  test('a preferred image that is not there is built where a template has its name, unless the release is asked for', () => {
    const preferred = { preferred: { docker: 'web' } };
    expect(chooseImage(docker, facts([], preferred))).toMatchObject({ action: 'build', image: 'web', build: { template: 'web', roles: [] } });
    expect(chooseImage({ ...docker, release: 'debian-13' }, facts([], preferred))).toMatchObject({ image: 'debian-13-docker' });
  });

  test('a preferred image of another release, or without all roles, is passed over', () => {
    const preferred = { preferred: { docker: 'mine' } };
    const mine = stored('mine', { roles: ['docker'], release: 'debian-13' });
    expect(chooseImage(docker, facts([mine], preferred))).toMatchObject({ action: 'use', image: 'mine' });
    expect(whyNot({ ...docker, release: 'debian-12' }, facts([mine], preferred))).toMatchObject({ mine: 'it is debian-13, not debian-12' });
    expect(whyNot({ roles: ['docker', 'observer'] }, facts([mine], preferred))).toMatchObject({ mine: 'it lacks the role observer' });
  });

  test('without roles it is the release', () => {
    expect(chooseImage({ roles: [] }, facts([stored('debian-12')]))).toMatchObject({ action: 'use', image: 'debian-12' });
    expect(chooseImage({ roles: [] }, facts([own]))).toMatchObject({ action: 'build', image: 'debian-12', build: { template: 'debian-12', roles: [] } });
    expect(chooseImage({ roles: [] }, facts([], { defaultRelease: 'debian-13' }))).toMatchObject({ image: 'debian-13' });
  });

  test('a role of the user is built from its folder', () => {
    const choice = chooseImage({ roles: ['mine'], rolePaths: { mine: './roles/mine' } }, facts([]));
    expect(choice).toMatchObject({ action: 'build', image: 'debian-12-mine' });
    expect(choice.action === 'build' ? buildCommand(choice.build) : '').toBe('ingot build debian-12 --role ./roles/mine');
  });
});

describe('by name', () => {
  test('it is that image, whatever else it has', () => {
    const web = stored('web', { roles: ['docker'], more: ['run'], gate: 'failed', arch: 'arm64' });
    for (const image of ['web', 'web:latest']) expect(chooseImage({ image, roles: [] }, facts([web]))).toMatchObject({ action: 'use', image });
    expect(chooseImage({ image: 'web', ...docker }, facts([web]))).toMatchObject({ action: 'use' });
  });

  test('an image without the role or of another release is refused, with what to do', () => {
    const web = facts([stored('debian-12')]);
    expect(chooseImage({ image: 'debian-12', ...docker }, web)).toMatchObject({
      action: 'refuse',
      code: 'image-unfit',
      message: 'The image debian-12 does not fit: it lacks the role docker',
      hint: expect.stringContaining('--release debian-12 --role docker'),
    });
    expect(chooseImage({ image: 'debian-12', roles: [], release: 'debian-13' }, web)).toMatchObject({ action: 'refuse', code: 'image-unfit' });
  });

  test('one that is not there is built where it is a release or a template', () => {
    expect(chooseImage({ image: 'debian-13', roles: [] }, facts([]))).toMatchObject({ action: 'build', build: { template: 'debian-13', roles: [] } });
    expect(chooseImage({ image: 'web:latest', roles: [] }, facts([]))).toMatchObject({ action: 'build', image: 'web' });
    expect(chooseImage({ image: 'web:1.2', roles: [] }, facts([]))).toMatchObject({ action: 'refuse', code: 'image-unknown', hint: undefined });
  });

  test('what looks like the image of a role is found by the role', () => {
    const hint = (request: ImageRequest): unknown => chooseImage(request, facts([]));
    expect(hint({ image: 'debian-12-docker', roles: [] })).toMatchObject({ hint: expect.stringContaining('--release debian-12 --role docker') });
    expect(hint({ image: 'debian-13', ...docker })).toMatchObject({ hint: expect.stringContaining('--release debian-13 --role docker') });
    expect(hint({ image: 'web', ...docker })).toMatchObject({ hint: 'Build it first: `ingot build web`.' });
  });
});

const roles = fc.subarray(['docker', 'observer', 'redis']);
const release = fc.constantFrom('debian-12', 'debian-13');
const image = fc.record({
  reference: fc.constantFrom('debian-12', 'debian-12-docker', 'debian-13-docker', 'a', 'b:1', 'c'),
  release,
  arch: fc.constantFrom('amd64', 'arm64'),
  roles,
  more: fc.subarray(['packages', 'run']),
  gate: fc.constantFrom('passed' as const, 'failed' as const, 'not-run' as const),
  damaged: fc.option(fc.constant('broken'), { nil: undefined }),
  created: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'),
});
const images = fc.uniqueArray(image, { selector: ({ reference }) => reference });
const request = fc.record({ roles, release: fc.option(release, { nil: undefined }) });
const preferred = fc.dictionary(fc.constantFrom('docker', 'observer'), fc.constantFrom('a', 'b:1', 'nothing', 'web'));

describe('whatever there is', () => {
  test('what is used can be used and has all that was asked for; what is built has exactly that', () => {
    fc.assert(
      fc.property(images, request, preferred, (all, asked, mapping) => {
        const choice = chooseImage(asked, facts(all, { preferred: mapping }));
        expect(choice.action).not.toBe('refuse');
        expect(choice.candidates.filter(({ fits, why }) => fits && !why.startsWith('it fits too'))).toHaveLength(1);
        if (choice.action === 'use') {
          const taken = all.find(({ reference }) => reference === choice.image);
          expect(taken).toMatchObject({ arch: 'amd64', damaged: undefined });
          expect(taken?.gate).not.toBe('failed');
          for (const role of asked.roles) expect(taken?.roles).toContain(role);
          if (asked.release !== undefined) expect(taken?.release).toBe(asked.release);
        }
        if (choice.action === 'build' && choice.image !== 'web') {
          expect(choice.build).toEqual({ template: asked.release ?? 'debian-12', roles: asked.roles });
          // An image of exactly that would have been taken.
          expect(
            all.filter(
              (one) =>
                one.reference === choice.image &&
                one.gate === 'passed' &&
                one.damaged === undefined &&
                one.arch === 'amd64' &&
                one.release === choice.build.template &&
                one.more.length === 0 &&
                String(one.roles) === String(asked.roles),
            ),
          ).toEqual([]);
        }
      }),
    );
  });

  test('the order in which the store lists its images changes nothing', () => {
    fc.assert(
      fc.property(images, request, preferred, (all, asked, mapping) => {
        const inOrder = chooseImage(asked, facts(all, { preferred: mapping }));
        expect(chooseImage(asked, facts(all.toReversed(), { preferred: mapping }))).toEqual(inOrder);
      }),
    );
  });
});

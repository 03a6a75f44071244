import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import { FLEET_EXAMPLE } from '../../tools/fleet-reference.ts';
import { readFleet } from './fleet.ts';

const FILE = hostPath('/fleets/all.yaml');

function names(text: string): (string | undefined)[] {
  return (readFleet(FILE, text, '/fleets')?.images ?? []).map(({ name }) => name);
}

function problemsOf(text: string): string[] {
  try {
    readFleet(FILE, text, '/fleets');
    return [];
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    expect(error.code).toBe('fleet-invalid');
    return error.problems.map(
      ({ position, path, message, hint }) => `${position?.line}:${position?.column} ${path ?? ''} ${message}${hint === undefined ? '' : `. ${hint}`}`,
    );
  }
}

describe('a fleet file', () => {
  test('is every combination of its lists', () => {
    const { images, name } = readFleet(
      FILE,
      'templates: [./web.yaml, db]\nreleases: [debian-12, debian-13]\nroles: [[], docker, [docker, kubernetes]]\n',
      '/fleets',
    ) ?? { images: [] };
    expect(name).toBe('all');
    expect(images).toHaveLength(12);
    expect(images[0]).toEqual({ template: '/fleets/web.yaml', from: 'debian-12', roles: [], name: 'web-debian-12', packages: [], variables: {} });
    expect(images[11]).toEqual({
      template: 'db',
      from: 'debian-13',
      roles: ['docker', 'kubernetes'],
      name: 'db-debian-13-docker-kubernetes',
      packages: [],
      variables: {},
    });
  });

  test('leaves out what is excluded, and adds what is included', () => {
    const text = [
      'templates: [web, db]',
      'releases: [debian-12, debian-13]',
      'roles: [[], docker]',
      'exclude:',
      '  - { template: db, roles: docker }',
      '  - { release: debian-13, roles: [] }',
      'include:',
      '  - { template: web, name: web-big, packages: [vim], variables: { size: 3 } }',
    ].join('\n');
    expect(names(text)).toEqual(['web-debian-12', 'web-debian-12-docker', 'web-debian-13-docker', 'db-debian-12', 'web-big']);
    expect(readFleet(FILE, text, undefined)?.images.at(-1)).toMatchObject({ packages: ['vim'], variables: { size: '3' } });
  });

  test('names the architecture only where there are several, and a template alone keeps its own name', () => {
    expect(names('templates: [web, db]')).toEqual([undefined, undefined]);
    expect(names('templates: [web]\narch: [arm64]')).toEqual([undefined]);
    expect(names('templates: [web]\narch: [amd64, arm64]')).toEqual(['web-amd64', 'web-arm64']);
  });

  test('is told from a template by its key', () => {
    expect(readFleet(FILE, 'from: debian-12\n', undefined)).toBeUndefined();
    expect(readFleet(FILE, 'steps:\n  - run: |\n      templates: no\n', undefined)).toBeUndefined();
  });

  test('tells all its mistakes, each with its place', () => {
    expect(problemsOf('templates: []\nrelease: [debian-12]\narch: [x86]\n')).toEqual([
      '1:12 templates must not be empty',
      expect.stringMatching(/^2:1 release is unknown. Did you mean releases/),
      expect.stringMatching(/^3:8 arch\[0\] must be amd64 or arm64/),
    ]);
    expect(problemsOf('templates: [web]\nexclude:\n  - release: debian-12\n')).toEqual(['3:5 exclude[0] excludes nothing: no combination matches it']);
    expect(problemsOf('templates: [web, ./web.yaml]\nroles: [docker]\n')).toEqual([expect.stringContaining('makes two images called web-docker')]);
    expect(problemsOf('templates: [web]\nreleases: [a]\nexclude: [{ template: web }]\n')).toEqual([expect.stringContaining('leaves no image')]);
  });

  test('has as many images as combinations that nothing excludes, each once', () => {
    const words = (prefix: string) => fc.integer({ min: 1, max: 4 }).map((count) => Array.from({ length: count }, (_, i) => `${prefix}${i}`));
    fc.assert(
      fc.property(words('t'), words('r'), words('x'), fc.nat(3), (templates, releases, roles, without) => {
        const excluded = releases[without];
        const text = JSON.stringify({
          templates,
          releases,
          roles,
          ...(excluded === undefined || releases.length === 1 ? {} : { exclude: [{ release: excluded }] }),
        });
        const expected = templates.length * roles.length * (excluded === undefined || releases.length === 1 ? releases.length : releases.length - 1);
        const found = names(text);
        expect(found).toHaveLength(expected);
        expect(new Set(found).size).toBe(expected);
      }),
    );
  });
});

test('the example of the reference is a fleet', () => {
  const fleet = readFleet(FILE, FLEET_EXAMPLE, '/fleets');
  expect(fleet?.name).toBe('shop');
  expect(fleet?.images).toHaveLength(2 * 2 * 3 * 2 - 4 * 2 - 6 + 2 + 1);
});

/* The reference of fleet files and their JSON Schema, made from src/template/fleet-schema.ts. */
import * as z from 'zod';
import { fleetSchema } from '../src/template/fleet-schema.ts';
import { schemaBlocks } from './template-reference.ts';

const FLEET = z.toJSONSchema(fleetSchema, { io: 'input', target: 'draft-2020-12' });

/** An example that holds every key; a test reads it. */
export const FLEET_EXAMPLE = `fleet: shop
templates: [./web.yaml, ./db.yaml]
releases: [debian-12, debian-13]
roles: [[], docker, [docker, observer]]
arch: [amd64, arm64]
exclude:
  - { template: db, roles: docker }
  - { release: debian-12, arch: arm64 }
include:
  - template: ./web.yaml
    name: web-large
    roles: docker
    packages: [vim]
    variables: { workers: 8 }
`;

/** docs/reference/fleet.schema.json: what editors check and complete with. */
export function fleetJsonSchema(): string {
  const { $schema, ...rest } = FLEET;
  return `${JSON.stringify({ $schema, title: 'Fleet of ingot', description: 'Which images are built together', ...rest }, undefined, 2)}\n`;
}

/** docs/reference/fleet.md: every key with type, default and meaning. */
export function fleetPage(note: string): string {
  const blocks = [
    note,
    '# Fleet files',
    'A fleet file says which images are built together: every combination of its templates, releases, roles and architectures. `ingot build fleet.yaml` builds them at the same time, each layer that they share once; `ingot queue add fleet.yaml` adds them to the queue. A file is a fleet when it has the key `templates`. The schema for editors is [fleet.schema.json](fleet.schema.json).',
    `\`\`\`yaml\n${FLEET_EXAMPLE.trimEnd()}\n\`\`\``,
    'An image is called `<template>-<release>-<roles>`, as far as the fleet says them, with the architecture where there are several; a template that nothing is combined with keeps its own name. A release replaces what the template starts from, and roles are added to its own. Flags of the command hold for all: `ingot build fleet.yaml --package vim --jobs 4`.',
    ...schemaBlocks('Fleet', FLEET),
  ];
  return `${blocks.join('\n\n')}\n`;
}

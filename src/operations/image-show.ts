import * as z from 'zod';
import { formatDuration, formatSize } from '../base/types.ts';
import { shownImageUsers } from '../platforms/local/vm-folders.ts';
import { gateStatementSchema, imageConfigSchema, rolesOf, type ImageDetails } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { countOf, gateCell, shortDigest } from './image-text.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { renderTable, styled } from './table.ts';

const output = z.strictObject({
  references: z.array(z.string()),
  /** Of the manifest: what `name@sha256:…` pins. */
  digest: z.string(),
  /** Of the config. */
  id: z.string(),
  created: z.string(),
  storedSize: z.int(),
  roles: z.array(z.string()),
  /** The VMs that use it, as far as their records can be read. */
  vms: z.array(z.string()),
  layers: z.array(z.strictObject({ name: z.string(), key: z.string(), digest: z.string(), size: z.int(), packages: z.int() })),
  config: imageConfigSchema,
  gate: gateStatementSchema.optional(),
});

export default defineOperation({
  name: 'image show',
  summary: 'Show an image: its layers, what is in it, what its gate found, and which VMs use it',
  kind: 'query',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
  }),
  output,
  examples: [
    { command: 'ingot image show debian-12', does: 'show the latest one' },
    { command: 'ingot image show debian-12 --json', does: 'everything, with each package' },
  ],
  async run(input, { host, home }) {
    const { layers, gate, ...image } = await openStore(host, home).resolve(input.image);
    return {
      references: [...image.references],
      digest: image.digest,
      id: image.id,
      created: image.created,
      storedSize: layers.reduce((sum, layer) => sum + layer.size, 0),
      roles: rolesOf(image.config['dev.ingot.image']),
      vms: (await shownImageUsers(host, home)).get(image.digest) ?? [],
      layers: layers.map((layer, i) => {
        const told = image.config['dev.ingot.image'].layers[i];
        return { name: told?.name ?? '', key: told?.key ?? '', digest: layer.digest, size: layer.size, packages: told?.packages.length ?? 0 };
      }),
      config: image.config,
      ...(gate === undefined ? {} : { gate }),
    };
  },
  render(image, options) {
    const details = image.config['dev.ingot.image'];
    const labels = Object.entries(image.config.config?.Labels ?? {}).map(([key, value]) => `${key}=${value}`);
    const facts: readonly (readonly [string, string])[] = [
      ['Image', image.references.join(', ') || '(no tag)'],
      ['Digest', image.digest],
      ['ID', image.id],
      ['Created', image.created],
      ['Template', details.template],
      ...(details.from === undefined ? [] : [['From', fromText(details.from)] as const]),
      ['Release', `${details.release}, ${image.config.architecture}, kernel ${details.kernel}`],
      ['Roles', image.roles.join(', ') || 'none'],
      ['Disk', `${formatSize(details.disk.size)}, ${details.disk.filesystem}`],
      ['Stored', `${formatSize(image.storedSize)} in ${countOf(image.layers.length, 'layer')}`],
      ['User', details.defaultUser],
      ['VMs', image.vms.join(', ') || 'none'],
      ...(details.source === undefined ? [] : [['Source', sourceText(details.source)] as const]),
      ...details.repositories.map((repository, i) => [i === 0 ? 'Repositories' : '', repository] as const),
      ...(details.expiredMetadata ? [['Warning', 'made from repository metadata past its Valid-Until'] as const] : []),
      ...labels.map((label, i) => [i === 0 ? 'Labels' : '', label] as const),
    ];
    const layers = renderTable(
      [{ title: 'LAYER' }, { title: 'KEY' }, { title: 'DIGEST' }, { title: 'SIZE', right: true }, { title: 'PACKAGES', right: true }],
      image.layers.map((layer) => [layer.name, shortDigest(layer.key), shortDigest(layer.digest), formatSize(layer.size), String(layer.packages)]),
      options,
    );
    return [facts.map(([name, value]) => `${styled(name.padEnd(14), 'dim', options)}${value}`).join('\n'), '', layers, '', gateText(image.gate, options)].join(
      '\n',
    );
  },
});

function fromText({ reference, digest }: NonNullable<ImageDetails['from']>): string {
  return reference.endsWith(digest) ? reference : `${reference} (${digest})`;
}

function sourceText({ vm, snapshot, taken, sealed }: NonNullable<ImageDetails['source']>): string {
  return [`the VM ${vm}`, ...(snapshot === undefined ? [] : [`its snapshot ${snapshot}`]), `as it was at ${taken}`, ...(sealed ? [] : ['not sealed'])].join(
    ', ',
  );
}

function gateText(gate: z.output<typeof gateStatementSchema> | undefined, options: RenderOptions): string {
  if (gate === undefined) return `Gate: ${styled('not run', 'yellow', options)}`;
  const result = gateCell(gate.result);
  const shown = typeof result === 'string' ? result : styled(result.text, result.style, options);
  const head = `Gate: ${shown} (${gate.level}, ${gate.firmware.join(' and ')}, ${gate.accelerator}, QEMU ${gate.qemu}, ${gate.finished})`;
  const reason = gate.reason === undefined ? [] : [`  ${gate.reason}`];
  if (gate.checks.length === 0) return [head, ...reason].join('\n');
  const checks = renderTable(
    [{ title: 'CHECK' }, { title: 'RESULT' }, { title: 'TIME', right: true }, { title: 'DETAIL' }],
    gate.checks.map((check) => [check.name, gateCell(check.result), check.seconds === undefined ? '' : formatDuration(check.seconds), check.detail ?? '']),
    options,
  );
  return [head, ...reason, '', checks].join('\n');
}

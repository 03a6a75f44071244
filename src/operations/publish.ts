import * as z from 'zod';
import { targetCheckSchema } from '../platforms/platform.ts';
import { requireTools } from '../doctor/install.ts';
import { openPlatform } from '../publish/adapters.ts';
import { dropExports, exportDisk, imageForGuest, publishedImage } from '../publish/image.ts';
import { planPublication, publish, type PublishRequest } from '../publish/publish.ts';
import { targetReference } from '../platforms/platform.ts';
import { findTarget } from '../publish/targets.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';
import { cloudInput, cloudMachineWish, cloudPlaceWish, refuseForeignFlags } from './publish-cloud-input.ts';
import { machineWishOf, placeInput, placeWishOf, publishMachineInput } from './publish-input.ts';

export default defineOperation({
  name: 'publish',
  summary: 'Publish an image to a platform, as a template that was proven there',
  description:
    'Brings the disk there, makes a template of it, proves it on a VM of its own (it boots, one can log in, cloud-init ends without an error, and more where the platform can do more), reads it again, and only then marks it as current. What was cut, at any point, goes on when the command is run again; what fails leaves nothing on the target, and the current version as it is. An image that is there already takes no upload.',
  kind: 'job',
  input: z.strictObject({
    image: z.string().min(1).describe('The image: name, name:tag or name@sha256:…').meta({ positional: true, complete: 'image' }),
    to: z.string().min(1).describe('The target, PLATFORM:NAME').meta({ placeholder: 'TARGET', complete: 'target' }),
    plan: z.boolean().default(false).describe('Say what would be done, and which requests would be made; change nothing'),
    unproven: z.boolean().default(false).describe('Also an image whose gate here has not passed'),
    ssh: z.boolean().default(true).describe('Log in to the trial VM; --no-ssh where its network cannot be reached from here'),
    promote: z.boolean().default(true).describe('Make it current once it is proven'),
    keep: z.int().min(1).max(1000).default(3).describe('Versions that stay on the target, the current one included; older ones go, unless VMs stand on them'),
    ...placeInput,
    ...publishMachineInput,
    ...cloudInput,
  }),
  headings: {
    'Where it goes': ['node', 'allNodes', 'storage', 'uploadStorage', 'vmids', 'vmName', 'pool'],
    'The machine': ['cpus', 'memory', 'balloon', 'cpuType', 'numa', 'firmware', 'tpm', 'display', 'startWithHost', 'tag'],
    'Its network': ['bridge', 'vlan', 'mtu', 'firewall', 'ip', 'gateway', 'nameserver', 'searchDomain'],
    'Its user': ['user', 'sshKey'],
    'On CloudStack': Object.keys(cloudInput),
  },
  output: z.union([
    z.strictObject({
      publication: z.string(),
      outcome: z.enum(['published', 'unchanged']),
      state: z.string(),
      places: z.array(z.strictObject({ place: z.string(), made: z.string(), checks: z.array(targetCheckSchema) })),
      removed: z.array(z.string()),
      kept: z.array(z.string()),
    }),
    z.strictObject({ planned: z.strictObject({ why: z.array(z.string()), warnings: z.array(z.string()), calls: z.array(z.string()) }) }),
  ]),
  examples: [
    { command: 'ingot publish web --to proxmox:home', does: 'makes it a template there, and the current one' },
    { command: 'ingot publish web --to proxmox:home --plan', does: 'says which node and storages, why, and every request' },
    { command: 'ingot publish web --to proxmox:lab --all-nodes --vmids 9000-9099', does: 'one template for each node, numbered from 9000 on' },
    {
      command: 'ingot publish almalinux-9 --to cloudstack:prod --all-zones --visibility featured',
      does: 'in every zone, at the top of the catalogue once proven',
    },
    { command: 'ingot publish web --to cloudstack:prod --zone z1 --transfer upload', does: 'sends the file, where zones cannot fetch from this host' },
    { command: 'ingot publish sealed --to proxmox:home --firmware uefi-secure --tpm', does: 'with Secure Boot and a TPM' },
  ],
  async run(input, context) {
    const { host, home } = context;
    const target = await findTarget(context, input.to);
    const reference = targetReference(target);
    const stored = await openStore(host, home).resolve(input.image);
    const image = publishedImage(stored, input.image, reference, input);
    refuseForeignFlags(target.platform, input);
    const { zones, all, ...cloud } = cloudPlaceWish(input);
    const place = placeWishOf(input);
    const places = { ...place, ...cloud, nodes: [...place.nodes, ...zones], allNodes: place.allNodes || all };
    const machine = { ...(await machineWishOf(context, input)), ...cloudMachineWish(input) };
    await using platform = await openPlatform(context, target);
    const file = stored.layers.reduce((sum, { size }) => sum + size, 0);
    const request: PublishRequest = {
      platform,
      target: reference,
      image,
      places,
      machine,
      size: { virtual: image.details.disk.size, file },
      exportDisk: async (wish) => {
        await requireTools(context, ['qemu-img']);
        return await exportDisk(context, await imageForGuest(stored, wish.guest), wish);
      },
      ssh: input.ssh,
      promote: input.promote,
      keep: input.keep,
    };
    if (input.plan) {
      const plan = await planPublication(request);
      return { planned: { why: plan.places.flatMap(({ why }) => [...why]), warnings: [...plan.warnings], calls: [...plan.calls] } };
    }
    if (input.ssh) await requireTools(context, ['ssh', 'ssh-keygen']);
    const { publication, outcome, removed, kept } = await publish(context, request);
    await dropExports(context, stored);
    return {
      publication: publication.id,
      outcome,
      state: publication.state,
      places: publication.places.map(({ id, facts, checks }) => ({ place: id, made: platform.publisher.describe({ facts }), checks })),
      removed: [...removed],
      kept: [...kept],
    };
  },
  render(result) {
    if ('planned' in result) {
      const { why, warnings, calls } = result.planned;
      return [...why, ...warnings.map((text) => `Warning: ${text}`), '', 'Requests:', ...calls.map((call) => `  ${call}`)].join('\n');
    }
    const { publication, outcome, state, places, removed, kept } = result;
    return [
      outcome === 'unchanged' ? `${publication} is there already, and ${state}` : `${publication} is ${state}`,
      ...places.map(({ made, checks }) => `  ${made}${checksText(checks)}`),
      ...removed.map((id) => `Removed the old version ${id}`),
      ...kept.map((text) => `Kept ${text}`),
    ].join('\n');
  },
});

function checksText(checks: readonly z.output<typeof targetCheckSchema>[]): string {
  const count = (result: string): number => checks.filter((check) => check.result === result).length;
  const notRun = count('not-run');
  return checks.length === 0 ? '' : `: ${count('passed')} of ${checks.length} checks passed${notRun > 0 ? `, ${notRun} not run` : ''}`;
}

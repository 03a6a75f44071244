import * as z from 'zod';
import { writeOutFile } from '../base/out-file.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { requireTools } from '../doctor/install.ts';
import { targetReference, type Platform } from '../platforms/platform.ts';
import { openPlatform } from '../publish/adapters.ts';
import { imagesNamed, planAll, publishAll, type FleetRun } from '../publish/fleet.ts';
import { renderRuns, reportFormatOf, type ReportFormat } from '../publish/report.ts';
import { findTarget, type Target } from '../publish/targets.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';
import { cloudInput, cloudMachineWish, cloudPlaceWish, refuseForeignFlags } from './publish-cloud-input.ts';
import { machineWishOf, placeInput, placeWishOf, publishMachineInput } from './publish-input.ts';
import { membersOf, type CommonRequest } from './publish-members.ts';
import { planOrError, planOutput, publishExitCode, publishOutputSchema, renderPublish, runOutput } from './publish-output.ts';

const wishesSchema = z.object({ ...placeInput, ...publishMachineInput, ...cloudInput });

export default defineOperation({
  name: 'publish',
  summary: 'Publish an image to a platform, as a template that was proven there',
  description:
    'Brings the disk there, makes a template of it, proves it on a VM of its own (it boots, one can log in, cloud-init ends without an error, and more where the platform can do more), reads it again, and only then marks it as current. What was cut, at any point, goes on when the command is run again; what fails leaves nothing on the target, and the current version as it is. An image that is there already takes no upload. Several images go side by side, as far as the locks of the storages allow; one that fails keeps no other from it, and the exit code is that of the first that failed.',
  kind: 'job',
  input: z.strictObject({
    image: z
      .array(z.string().min(1))
      .min(1)
      .describe("The images: name, name:tag or name@sha256:…; 'web-*' stands for all with such a name")
      .meta({ positional: true, complete: 'image' }),
    to: z.array(z.string().min(1)).min(1).describe('The target, PLATFORM:NAME; can be given again').meta({ placeholder: 'TARGET', complete: 'target' }),
    plan: z.boolean().default(false).describe('Say what would be done, and which requests would be made; change nothing'),
    unproven: z.boolean().default(false).describe('Also an image whose gate here has not passed'),
    ssh: z.boolean().default(true).describe('Log in to the trial VM; --no-ssh where its network cannot be reached from here'),
    promote: z.boolean().default(true).describe('Make it current once it is proven'),
    keep: z.int().min(1).max(1000).default(3).describe('Versions that stay on the target, the current one included; older ones go, unless VMs stand on them'),
    atOnce: z.int().min(1).max(64).default(4).describe('Of several images, so many are published at the same time').meta({ placeholder: 'COUNT' }),
    report: clientFile.optional().describe('Write what became of each into this file: .html, .xml (JUnit) or .json').meta({ clientFile: true }),
    ...wishesSchema.shape,
  }),
  headings: {
    'Where it goes': ['node', 'allNodes', 'storage', 'uploadStorage', 'vmids', 'vmName', 'pool'],
    'The machine': ['cpus', 'memory', 'balloon', 'cpuType', 'numa', 'firmware', 'tpm', 'display', 'startWithHost', 'tag'],
    'Its network': ['bridge', 'vlan', 'mtu', 'firewall', 'ip', 'gateway', 'nameserver', 'searchDomain'],
    'Its user': ['user', 'sshKey'],
    'On CloudStack': Object.keys(cloudInput),
  },
  output: publishOutputSchema,
  examples: [
    { command: 'ingot publish web --to proxmox:home', does: 'makes it a template there, and the current one' },
    { command: 'ingot publish web --to proxmox:home --plan', does: 'says which node and storages, why, and every request' },
    { command: 'ingot publish web --to proxmox:lab --all-nodes --vmids 9000-9099', does: 'one template for each node, numbered from 9000 on' },
    {
      command: 'ingot publish almalinux-9 --to cloudstack:prod --all-zones --visibility featured',
      does: 'in every zone, at the top of the catalogue once proven',
    },
    { command: 'ingot publish web db cache --to proxmox:lab --to cloudstack:prod', does: 'several images to several targets' },
    { command: "ingot publish 'web-*' --to cloudstack:prod --all-zones --report run.xml", does: 'a fleet, with a report for CI' },
    { command: 'ingot publish web --to cloudstack:prod --zone z1 --transfer upload', does: 'sends the file, where zones cannot fetch from this host' },
    { command: 'ingot publish sealed --to proxmox:home --firmware uefi-secure --tpm', does: 'with Secure Boot and a TPM' },
  ],
  async run(input, context) {
    const { host, home } = context;
    const named = await Promise.all(input.to.map((name) => findTarget(context, name)));
    const targets = named.filter((target, index) => named.findIndex((one) => targetReference(one) === targetReference(target)) === index);
    refuseForeignFlags(
      targets.map(({ platform }) => platform),
      input,
    );
    const report = input.report === undefined ? undefined : { file: hostPath(input.report), format: reportFormatOf(input.report) };
    const wishes = await wishesOf(context, input);
    const common = {
      ssh: input.ssh,
      promote: input.promote,
      keep: input.keep,
      unproven: input.unproven,
    };
    const images = imagesNamed(
      input.image,
      (await openStore(host, home).list()).map(({ name }) => name),
    );
    await using stack = new AsyncDisposableStack();
    const opened: { readonly target: Target; readonly platform: Platform }[] = [];
    for (const target of targets) opened.push({ target, platform: stack.use(await openPlatform(context, target)) });
    const members = membersOf(context, images, opened, (target) => ({ ...common, ...wishes[target.platform] }));
    const isOne = members.length === 1;
    if (input.plan) {
      const plans = await planAll(members, input.atOnce);
      const [only] = plans;
      if (isOne && only?.error !== undefined) throw only.error;
      return isOne && only?.plan !== undefined ? { planned: planOutput(only.plan) } : { plans: plans.map(planOrError) };
    }
    if (input.ssh) await requireTools(context, ['ssh', 'ssh-keygen']);
    const runs = await publishAll(context, members, input.atOnce);
    if (report !== undefined) await writeReport(context, report, runs);
    const [only] = runs;
    // One that fails is an error like any other; of several, each has its own result.
    if (isOne && only?.error !== undefined) throw only.error;
    const told = runs.flatMap((run) => {
      const platform = opened.find(({ target }) => targetReference(target) === run.target)?.platform;
      return platform === undefined ? [] : [runOutput(platform, run)];
    });
    const [first] = told;
    if (!isOne || first?.publication === undefined || first.state === undefined || (first.outcome !== 'published' && first.outcome !== 'unchanged'))
      return { runs: told };
    const { publication, outcome, state, places, removed, kept } = first;
    return { publication, outcome, state, places, removed, kept };
  },
  render: renderPublish,
  exitCode: publishExitCode,
});

type Wishes = Pick<CommonRequest, 'places' | 'machine'>;

/** What the flags say to each platform: where, and of which machine. */
async function wishesOf(context: Context, input: z.output<typeof wishesSchema>): Promise<Record<Target['platform'], Wishes>> {
  const places = placeWishOf(input);
  const machine = await machineWishOf(context, input);
  const { zones, all, ...cloud } = cloudPlaceWish(input);
  const { firmware, display } = machine;
  const shared = { ...(firmware === undefined ? {} : { firmware }), ...(display === undefined ? {} : { display }) };
  return {
    proxmox: { places, machine },
    cloudstack: {
      places: { ...cloud, nodes: zones, allNodes: all, namePattern: places.namePattern },
      machine: { ...shared, ...cloudMachineWish(input) },
    },
  };
}

interface ReportWish {
  readonly file: HostPath;
  readonly format: ReportFormat;
}

/** Replaces the report of the run before, which has the same name each time. */
async function writeReport({ host, home }: Context, { file, format }: ReportWish, runs: readonly FleetRun[]): Promise<void> {
  await writeOutFile(host, home, file, { force: true, what: `writing ${file}` }, (part) => host.files.write(part, renderRuns(runs, format)));
}

import type { Context } from '../operations/operation.ts';
import { requireTools } from '../doctor/install.ts';
import { architectureSchema, type Firmware } from '../platforms/local/guest-spec.ts';
import { defaultFirmware, findFirmware } from '../platforms/local/firmware.ts';
import { accelerator } from '../platforms/local/accelerator.ts';
import type { GateStatement, Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { bootAndCheck, type BootReport } from './boot.ts';
import { runDiskChecks } from './disk-checks.ts';
import type { ResolvedTest } from '../template/template.ts';
import { gateFingerprint, withTests } from './fingerprint.ts';
import { gateThatHolds, type GateLevel } from './known.ts';
import type { CheckResult } from './script.ts';
import { templateChecks } from './template-tests.ts';

/**
 * Proves an image: looks at its disk as it is, boots it on a throw-away overlay with a NoCloud seed, and checks it from
 * inside, with the template's tests. `full` adds the other firmware, the comparison of two clones, and a reboot. A result
 * that still holds (same checks and tests, QEMU and firmware) is used again. What is found is kept as a statement beside the image; only ingot's own
 * failures are thrown.
 */
export async function gateImage(context: Context, image: Image, level: GateLevel, tests: readonly ResolvedTest[] = []): Promise<GateStatement> {
  const arch = architectureSchema.parse(image.config.architecture);
  const known = await gateThatHolds(context, image, level, { tests });
  if (known !== undefined) {
    context.events.span('stage', 'gate').end('cached');
    return known;
  }
  await requireTools(context, ['qemu-system', 'qemu-img', 'ssh', 'ssh-keygen', 'bwrap', 'qemu-storage-daemon', 'fusermount3']);
  const fingerprint = withTests(await gateFingerprint(context.host, context.home, arch), tests);
  const runner = await accelerator(context, arch);
  const span = context.events.span('stage', 'gate');
  try {
    const checks = await runChecks(context, image, level, { span, tests });
    const result = checks.some((check) => check.result === 'failed') ? 'failed' : checks.every((check) => check.result === 'passed') ? 'passed' : 'not-run';
    const statement: GateStatement = {
      v: 1,
      ...fingerprint,
      result,
      level,
      accelerator: runner.kind,
      checks,
      ...(tests.length === 0 ? {} : { tests: templateChecks(tests).map(({ name, script }) => ({ name, script })) }),
      finished: context.host.clock.now().toISOString(),
    };
    await openStore(context.host, context.home).addGate(image, statement);
    const passed = checks.filter((check) => check.result === 'passed').length;
    span.end(result === 'passed' ? 'done' : result === 'failed' ? 'failed' : 'not-run', `${passed} of ${checks.length} checks passed`);
    return statement;
  } catch (error) {
    span.end('failed');
    throw error;
  }
}

interface RunOptions {
  readonly span: ReturnType<Context['events']['span']>;
  readonly tests: readonly ResolvedTest[];
}

async function runChecks(context: Context, image: Image, level: GateLevel, { span, tests }: RunOptions): Promise<CheckResult[]> {
  const arch = architectureSchema.parse(image.config.architecture);
  const onDisk = await context.events.stage('the disk as it is', () => runDiskChecks(context, image), span);
  // A disk that is dirty already is refused without the minutes that a boot can take.
  if (onDisk.some((check) => check.result !== 'passed')) return onDisk;
  const { firmware: claimed = 'both' } = image.config['dev.ingot.image'].disk;
  const first = defaultFirmware(arch, claimed);
  const boot = async (firmware: Firmware, reboot: boolean): Promise<BootReport> =>
    await context.events.stage(`boot by ${firmware}`, (stage) => bootAndCheck(context, image, { arch, firmware, reboot, tests, span: stage }), span);
  const one = await boot(first, level === 'full');
  if (level === 'quick' || one.checks.some((check) => check.result === 'failed')) return [...onDisk, ...one.checks];
  // An image for BIOS alone starts twice by it, so that two clones can be compared.
  const second: Firmware = claimed === 'bios' ? 'bios' : first === 'bios' ? 'uefi' : 'uefi-secure';
  if (second !== 'bios' && (await findFirmware(context.host, arch, second).catch(() => undefined)) === undefined) {
    return [...onDisk, ...one.checks, { name: second, result: 'not-run', detail: `the firmware for ${second} is not installed on this host` }];
  }
  const two = await boot(second, false);
  const prefixed = two.checks.map((check) => ({ ...check, name: `${second}/${check.name}` }));
  return [...onDisk, ...one.checks, ...prefixed, compareClones(one, two)];
}

/** Two machines of one image must differ in all that identifies a machine. */
function compareClones(one: BootReport, two: BootReport): CheckResult {
  const names = Object.keys(one.identity);
  const shared = names.filter((name) => one.identity[name] === '' || one.identity[name] === two.identity[name]);
  if (names.length === 0) return { name: 'clones', result: 'not-run', detail: 'the guests told nothing of themselves' };
  return shared.length === 0
    ? { name: 'clones', result: 'passed' }
    : { name: 'clones', result: 'failed', detail: `two clones share their ${shared.join(', ')}` };
}

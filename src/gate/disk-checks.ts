import { makeScratch } from '../base/scratch.ts';
import type { Context } from '../operations/operation.ts';
import { isForeign, type Image } from '../store/model.ts';
import { layerPaths } from '../store/store.ts';
import { choosePlace, openPlace, type PlaceKind } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';
import { CHECKS } from './checks/index.ts';
import { combinedScript, readAnswers, type CheckResult } from './script.ts';

/** Opens the image on a throw-away overlay and looks at it as it is, before it has ever started: traces of the build show only then. */
export async function runDiskChecks(context: Context, image: Image, workspace?: PlaceKind): Promise<CheckResult[]> {
  const checks = CHECKS.filter((check) => check.where === 'disk');
  await using scratch = await makeScratch(context.host, context.home, 'the gate, looking at the disk');
  const { repositories, guest, layers, disk } = image.config['dev.ingot.image'];
  const foreign = isForeign(layers);
  await using place = await openPlace(context, { kind: await choosePlace(context, workspace, { foreign }), scratch: scratch.path });
  await using opened = await openThrowAway(context, place, { chain: layerPaths(context.home, image), size: disk.size, scratch: scratch.path });
  const accounts = guest?.accounts ?? [];
  const names = (which: 'keys' | 'password'): string => accounts.flatMap((account) => (account[which] ? [account.name] : [])).join(' ');
  const script = combinedScript(checks, {
    INGOT_ROOT_UUID: opened.partition.uuid,
    INGOT_REPOSITORIES: repositories.map((line) => (line.split(' ')[0] ?? '').replace(/\/$/, '')).join(' '),
    INGOT_KEYS: names('keys'),
    INGOT_PASSWORDS: names('password'),
  });
  const { stdout } = await opened.root.run(['sh'], { stdin: script, timeout: 120 });
  return readAnswers(checks, stdout);
}

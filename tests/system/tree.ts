import { makeScratch } from '../../src/base/scratch.ts';
import type { Context } from '../../src/operations/operation.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import { openPlace } from '../../src/workspace/place.ts';
import { openThrowAway } from '../../src/workspace/throw-away.ts';

/** A Python program that prints what a tree consists of: type and mode, owners, links, content, extended attributes, and its times where asked. */
export const listTree = (what: 'with times' | 'without times'): string => `
import hashlib, os, stat
def line(path):
    s = os.lstat(path)
    content = ''
    if stat.S_ISREG(s.st_mode): content = hashlib.sha256(open(path, 'rb').read()).hexdigest()
    if stat.S_ISLNK(s.st_mode): content = os.readlink(path)
    links = s.st_nlink if stat.S_ISREG(s.st_mode) else ''
    attributes = [(name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in sorted(os.listxattr(path, follow_symlinks=False))]
    print(path, oct(s.st_mode), s.st_uid, s.st_gid, links, s.st_rdev, ${what === 'with times' ? 'int(s.st_mtime), ' : ''}content, attributes)
for folder, folders, files in os.walk('/'):
    folders[:] = sorted(name for name in folders if os.path.join(folder, name) not in ('/dev', '/proc', '/sys', '/run', '/tmp'))
    line(folder)
    for name in sorted(files): line(os.path.join(folder, name))
    for name in folders:
        if os.path.islink(os.path.join(folder, name)): line(os.path.join(folder, name))
`;

/** Every file of an image, as a line each: all that two builds of the same have in common, which is everything but times. */
export async function treeOfImage(context: Context, name: string): Promise<string[]> {
  const image = await openStore(context.host, context.home).resolve(name);
  await using scratch = await makeScratch(context.host, context.home, 'test');
  await using place = await openPlace(context, { kind: 'host', scratch: scratch.path });
  await using workspace = await openThrowAway(context, place, {
    chain: layerPaths(context.home, image),
    size: image.config['dev.ingot.image'].disk.size,
    scratch: scratch.path,
  });
  const { stdout } = await workspace.root.run(['python3', '-B', '-'], { stdin: listTree('without times'), timeout: 600 });
  return stdout.split('\n').filter((line) => line !== '');
}

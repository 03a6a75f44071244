import { quoteCommand } from '../../../base/process.ts';
import type { Seal } from '../../../families/recipe.ts';
import type { Download } from '../../../roles/role.ts';
import type { GuestCommand } from '../../../sources/bootstrap/recipe.ts';
import type { FileTree } from '../../../template/template.ts';
import { GUEST_ENVIRONMENT } from '../../../workspace/sandbox.ts';
import type { RootFile } from '../../../workspace/guest-root.ts';

/*
 * Parts of the shell scripts that a Packer project runs in its machine, as root: what ingot does to a closed disk, said so that a person can read it and
 * `sh` of any distribution can run it. Texts are exact, whatever they hold.
 */

const PUT = `put() { # put PATH MODE OWNER: its standard input becomes the file
  mkdir -p "$(dirname "$1")"
  rm -f "$1"
  (umask 077; cat >"$1")
  chown -h "$3" "$1"
  chmod "$2" "$1"
}`;

const FETCH = `fetch() { # fetch URL SHA256 FILE
  if command -v curl >/dev/null; then curl -fsSL --retry 3 -o "$3" "$1"; else wget -q -O "$3" "$1"; fi
  echo "$2  $3" | sha256sum -c - >/dev/null
}`;

/** A whole script: what it is for, how it fails, what its programs see, and its parts. */
export function script(about: string, parts: readonly string[]): string {
  const text = parts.filter((part) => part !== '').join('\n\n');
  const environment = Object.entries(GUEST_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  const functions = [PUT, FETCH].filter((helper) => new RegExp(String.raw`(^|\| )${helper.slice(0, helper.indexOf('('))} `, 'm').test(text));
  return [`#!/bin/sh`, ...about.split('\n').map((line) => `# ${line}`), 'set -eu', `export ${environment.join(' ')}`, 'cd /', '', ...functions, text, ''].join(
    '\n',
  );
}

/** Text on the standard input of what stands before it: a heredoc where it is lines, else a pipe. */
function withInput(command: string, text: string): string {
  if (!text.endsWith('\n') || text.includes('\r')) return `printf '%s' ${quoteCommand([text])} | ${command}`;
  const lines = text.split('\n');
  let mark = 'EOT';
  for (let i = 1; lines.includes(mark); i++) mark = `EOT_${i}`;
  return `${command} <<'${mark}'\n${text}${mark}`;
}

/** Files with their modes and owners. */
export function putFiles(files: readonly RootFile[]): string {
  return files.map(({ path, content, mode, owner }) => withInput(`put ${quoteCommand([path, mode, owner ?? 'root:root'])}`, content)).join('\n\n');
}

/** The variable that holds a secret's value, in the machine and in what Packer is given. */
export function secretName(secret: string): string {
  return `secret_${secret.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}`;
}

/** Commands, each below its label; a secret comes by the environment, and goes in by a pipe. */
export function commandLines(commands: readonly GuestCommand[]): string {
  return commands
    .map(({ label, argv, secretStdin }) => {
      const input = secretStdin === undefined ? '' : `printf '%s' "$${secretName(secretStdin.secret)}" | `;
      return `# ${label.replaceAll(/\s+/g, ' ')}\n${input}${quoteCommand(argv)}`;
    })
    .join('\n\n');
}

/** What is fetched by address: checked against its sum, then unpacked or put in its place. */
export function fetchDownloads(downloads: readonly Download[]): string {
  return downloads
    .map(({ url, sha256, to, unpack, mode }, i) => {
      const file = `/tmp/ingot-download-${i}`;
      const fetch = `fetch ${quoteCommand([url, sha256, file])}`;
      const place = quoteCommand([to]);
      if (unpack) return [fetch, `mkdir -p ${place}`, `tar -x -f ${file} -C ${place} --no-same-owner`, `rm ${file}`].join('\n');
      return [fetch, `put ${quoteCommand([to, mode, 'root:root'])} <${file}`, `rm ${file}`].join('\n');
    })
    .join('\n\n');
}

/** Kernel arguments where a distribution writes its boot menu itself. */
export function grubArguments(name: string, added: readonly string[]): string {
  const line = `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${added.join(' ')}"\n`;
  return `${putFiles([{ path: `/etc/default/grub.d/90-${name}.cfg`, content: line, mode: '0644' }])}\nupdate-grub`;
}

/** Puts an uploaded folder in its place, with the owners and modes that it is to have: what an upload makes of them is up to SSH. */
export function placeTree(tree: FileTree, to: string, owner: string, uploaded: string): string {
  const at = (path: string): string => (tree.single ? to : path === '' ? to : `${to.replace(/\/$/, '')}/${path}`);
  const from = (path: string): string => `${uploaded}/${tree.single ? SINGLE : path}`;
  const lines = tree.entries.map((entry) => {
    const place = at(entry.path);
    if (entry.type === 'link') return `link ${quoteCommand([entry.target, place])}`;
    const mode = `0${entry.mode.toString(8)}`;
    // Folders that are there already keep their modes and owners.
    if (entry.type === 'folder') return `folder ${quoteCommand([place, mode])}`;
    return `file ${quoteCommand([from(entry.path), place, mode])}`;
  });
  return `owner=${quoteCommand([owner])}
folder() { # folder PATH MODE
  [ -d "$1" ] && return 0
  mkdir -p "$1"
  chown "$owner" "$1"
  chmod "$2" "$1"
}
file() { # file FROM PATH MODE
  mkdir -p "$(dirname "$2")"
  rm -f "$2"
  cp "$1" "$2"
  chown -h "$owner" "$2"
  chmod "$3" "$2"
}
link() { # link TARGET PATH
  mkdir -p "$(dirname "$2")"
  rm -f "$2"
  ln -s "$1" "$2"
  chown -h "$owner" "$2"
}
${lines.join('\n')}
rm -rf ${quoteCommand([uploaded])}`;
}

/** The name of a single file in the folder that is uploaded. */
export const SINGLE = 'file';

/** What no golden image holds is taken away. What only the running machine has (/run) is not looked at. */
export function sealLines({ remove, emptyFolders, truncate }: Seal): string {
  const gone = remove.filter((pattern) => !/^(run|proc|sys|dev)\//.test(pattern));
  return [
    ...gone.map((pattern) => `rm -rf -- ${pattern}`),
    ...emptyFolders.map((folder) => `if [ -d ${folder} ]; then find ${folder} -xdev ! -type d -delete; fi`),
    ...truncate.map((file) => `: >${file}`),
    'sync',
  ].join('\n');
}

// The images of this registry, through its own protocol: the server passes /v2/ on.

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

const images = document.querySelector('#images');
const status = document.querySelector('#status');
const filter = document.querySelector('#filter');

/** Repository and tag names come from whoever pushes: they are only ever text. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function ask(path, options = {}) {
  // The page's own address may hold a password, with which nothing can be fetched.
  const answer = await fetch(new URL(path, location.origin), options);
  if (answer.ok) return answer;
  throw new Error(`${options.method ?? 'GET'} ${path}: ${answer.status} ${answer.statusText}`);
}

/** All items of a list that comes in pages, each naming the next in its Link header. */
async function list(path, key) {
  const items = [];
  for (let at = path; at !== undefined; ) {
    const answer = await ask(at);
    items.push(...((await answer.json())[key] ?? []));
    const next = /<([^>]+)>; *rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    at = next === undefined ? undefined : new URL(next, location.href).pathname + new URL(next, location.href).search;
  }
  return items;
}

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), units.length - 1);
  const value = count / 1024 ** power;
  return `${value.toFixed(value < 10 && power > 0 ? 1 : 0)} ${units[power]}`;
}

async function manifestOf(image, tag) {
  const answer = await ask(`/v2/${image}/manifests/${tag}`, { headers: { accept: MANIFESTS } });
  const manifest = await answer.json();
  const digest = answer.headers.get('docker-content-digest') ?? '';
  const children = manifest.manifests;
  if (children !== undefined) return { digest, what: children.map(({ platform }) => [platform?.os, platform?.architecture].filter(Boolean).join('/') || '?').join(', ') };
  const parts = [manifest.config, ...(manifest.layers ?? [])].filter(Boolean);
  return { digest, what: `${bytes(parts.reduce((sum, { size }) => sum + size, 0))} in ${parts.length - 1} ${parts.length === 2 ? 'layer' : 'layers'}` };
}

function row(image, tag, again) {
  const digest = element('code', { textContent: '…' });
  const what = element('td', { textContent: '…' });
  const remove = element('button', { textContent: 'Delete', disabled: true });
  manifestOf(image, tag).then(
    (found) => {
      digest.textContent = found.digest.slice(0, 19);
      digest.title = found.digest;
      what.textContent = found.what;
      remove.disabled = found.digest === '';
      remove.onclick = async () => {
        if (!confirm(`Delete ${image}:${tag}, and every other tag of the same manifest?`)) return;
        try {
          await ask(`/v2/${image}/manifests/${found.digest}`, { method: 'DELETE' });
        } catch (error) {
          status.textContent = error.message;
        }
        again();
      };
    },
    (error) => (what.textContent = error.message),
  );
  return element('tr', {}, element('td', { textContent: tag }), element('td', {}, digest), what, element('td', {}, remove));
}

function section(image) {
  const table = element('table');
  const show = async () => {
    try {
      const tags = (await list(`/v2/${image}/tags/list`, 'tags')).toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
      const head = element('tr', {}, ...['Tag', 'Digest', 'Size or platforms', ''].map((textContent) => element('th', { textContent })));
      table.replaceChildren(head, ...tags.map((tag) => row(image, tag, show)));
      if (tags.length === 0) table.replaceChildren(element('tr', {}, element('td', { textContent: 'No tags' })));
    } catch (error) {
      table.replaceChildren(element('tr', {}, element('td', { textContent: error.message })));
    }
  };
  const made = element('details', {}, element('summary', { textContent: image }), table);
  made.ontoggle = () => (made.open ? show() : undefined);
  return made;
}

function narrow() {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const each of images.children) {
    each.hidden = !each.firstChild.textContent.toLowerCase().includes(wanted);
    if (!each.hidden) shown += 1;
  }
  status.textContent = images.children.length === 0 ? `Nothing was pushed yet: docker push ${location.hostname}:PORT/name:tag` : `${shown} of ${images.children.length} images`;
}

filter.oninput = narrow;
try {
  images.replaceChildren(...(await list('/v2/_catalog?n=200', 'repositories')).map(section));
  narrow();
  // Few enough to be seen at a glance.
  if (images.children.length <= 5) for (const each of images.children) each.open = true;
} catch (error) {
  status.textContent = error.message;
}

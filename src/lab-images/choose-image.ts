/*
 * Which image a VM is made from, as a pure decision: the same request and the same store give the same answer, and every image that was not
 * taken has its reason.
 */

/** An image of the store, as far as this decision goes. */
export interface StoredImage {
  /** `name` where it is the latest of its name, else `name:tag`. */
  readonly reference: string;
  readonly release: string;
  readonly arch: string;
  readonly roles: readonly string[];
  /** Kinds of layers besides base and roles: `packages`, `run` … */
  readonly more: readonly string[];
  readonly gate: 'passed' | 'failed' | 'not-run';
  /** Why it cannot be used. */
  readonly damaged?: string | undefined;
  readonly created: string;
}

/** What is asked for. */
export interface ImageRequest {
  /** `name[:tag]` or `name@sha256:…`, or a release or template that is to be built. */
  readonly image?: string | undefined;
  /** Names, each once, in the order in which a build stacks them. */
  readonly roles: readonly string[];
  /** What a build is told instead of a role's name: the path of its folder. */
  readonly rolePaths?: Readonly<Record<string, string>>;
  /** Undefined for the default. */
  readonly release?: string | undefined;
}

/** What there is. */
export interface ImageFacts {
  readonly images: readonly StoredImage[];
  /** Role -> image that the user prefers for it. */
  readonly preferred: Readonly<Record<string, string>>;
  readonly defaultRelease: string;
  /** Releases of the catalog. */
  readonly releases: readonly string[];
  /** The user's templates, by name. */
  readonly templates: readonly string[];
  /** The host's. */
  readonly arch: string;
}

/** An image that was looked at, or what would be built. */
export interface Candidate {
  readonly image: string;
  /** `asked`: --image · `preferred`: the setting role-images · `own`: what a build with these roles is called · `store`: another image · `build` */
  readonly from: 'asked' | 'preferred' | 'own' | 'store' | 'build';
  readonly fits: boolean;
  /** Why, or why not: words that follow the name. */
  readonly why: string;
}

/** What `ingot build` makes. */
export interface MissingImage {
  readonly template: string;
  readonly roles: readonly string[];
}

export type ImageChoice = { readonly candidates: readonly Candidate[] } & (
  | { readonly action: 'use'; readonly image: string; readonly why: string }
  | { readonly action: 'build'; readonly image: string; readonly why: string; readonly build: MissingImage }
  | { readonly action: 'refuse'; readonly code: 'image-unknown' | 'image-unfit'; readonly message: string; readonly hint: string | undefined }
);

/** Chooses. Pure. */
export function chooseImage(request: ImageRequest, facts: ImageFacts): ImageChoice {
  return request.image === undefined ? byRoles(request, facts) : byName(request.image, request, facts);
}

/** `ingot build debian-12 --role docker` */
export function buildCommand({ template, roles }: MissingImage): string {
  return ['ingot build', template, ...roles.map((role) => `--role ${role}`)].join(' ');
}

function byName(image: string, request: ImageRequest, facts: ImageFacts): ImageChoice {
  const stored = findStored(facts, image);
  if (stored !== undefined) {
    const why = 'it is what --image names';
    const no = objection(stored, request);
    const candidates: Candidate[] = [{ image, from: 'asked', fits: no === undefined, why: no ?? why }];
    if (no === undefined) return { action: 'use', image, why, candidates };
    return { action: 'refuse', code: 'image-unfit', message: `The image ${image} does not fit: ${no}`, hint: unfitHint(stored, request), candidates };
  }
  const name = image.replace(/:latest$/, '');
  const candidates: Candidate[] = [{ image, from: 'asked', fits: false, why: 'it is not in the store' }];
  const known = facts.releases.includes(name) || facts.templates.includes(name);
  if (known && request.roles.length === 0 && (request.release ?? name) === name) return toBuild(name, { template: name, roles: [] }, candidates);
  return { action: 'refuse', code: 'image-unknown', message: `There is no image ${image} in the store`, hint: unknownHint(name, request, facts), candidates };
}

function byRoles(request: ImageRequest, facts: ImageFacts): ImageChoice {
  const { roles } = request;
  const release = request.release ?? facts.defaultRelease;
  const wanted = rolesText(roles);
  const name = [release, ...roles].join('-');
  const candidates: Candidate[] = [];
  const use = (image: string, from: Candidate['from'], why: string): ImageChoice => ({
    action: 'use',
    image,
    why,
    candidates: [...candidates, { image, from, fits: true, why }],
  });

  for (const role of roles) {
    const image = facts.preferred[role];
    if (image === undefined || candidates.some((candidate) => candidate.image === image)) continue;
    const stored = findStored(facts, image);
    const no = stored === undefined ? 'it is not in the store' : (unusable(stored, facts) ?? objection(stored, request));
    if (no === undefined) return use(image, 'preferred', `the setting role-images prefers it for the role ${role}`);
    candidates.push({ image, from: 'preferred', fits: false, why: no });
    if (stored === undefined && roles.length === 1 && request.release === undefined && facts.templates.includes(image)) {
      return toBuild(image, { template: image, roles: [] }, candidates, `the setting role-images prefers it for the role ${role}, and it is not in the store`);
    }
  }

  const exact = { roles, release };
  const unfit = (image: StoredImage): string | undefined => unusable(image, facts) ?? objection(image, exact) ?? surplus(image, exact);
  const own = findStored(facts, name);
  const ownNo = own === undefined ? 'it is not in the store' : unfit(own);
  if (ownNo === undefined)
    return use(name, 'own', roles.length === 0 ? `it is the image of ${release}` : `it is what a build of ${release} with ${wanted} is called`);
  if (candidates.every(({ image }) => image !== name)) candidates.push({ image: name, from: 'own', fits: false, why: ownNo });

  const others = facts.images.filter(({ reference }) => candidates.every((one) => one.image !== reference)).toSorted(newestGatedFirst);
  const fitting = others.find((image) => unfit(image) === undefined);
  for (const image of others) {
    if (image === fitting) continue;
    const no = unfit(image);
    candidates.push({ image: image.reference, from: 'store', fits: no === undefined, why: no ?? 'it fits too, but is older, or has not passed a gate' });
  }
  if (fitting !== undefined) return use(fitting.reference, 'store', `it has ${roles.length === 0 ? 'no role' : `exactly ${wanted}`} on ${release}`);
  const build = { template: release, roles: roles.map((role) => request.rolePaths?.[role] ?? role) };
  return toBuild(
    name,
    build,
    candidates,
    `no image in the store has ${roles.length === 0 ? `${release} and nothing else` : `exactly ${wanted} on ${release}`}`,
  );
}

function toBuild(image: string, build: MissingImage, candidates: readonly Candidate[], why = 'it is not in the store'): ImageChoice {
  return { action: 'build', image, why, build, candidates: [...candidates, { image, from: 'build', fits: true, why: `\`${buildCommand(build)}\` makes it` }] };
}

function findStored({ images }: ImageFacts, reference: string): StoredImage | undefined {
  const wanted = reference.replace(/:latest$/, '');
  return images.find((image) => image.reference === wanted);
}

/** Why no VM is made from an image unless somebody names it; undefined where one can be. */
function unusable(image: StoredImage, { arch }: ImageFacts): string | undefined {
  if (image.damaged !== undefined) return `it is damaged: ${image.damaged}`;
  if (image.gate === 'failed') return 'it did not pass its gate';
  return image.arch === arch ? undefined : `it is for ${image.arch}`;
}

/** What an image lacks of what was asked for; undefined where it is nothing. */
function objection(image: StoredImage, request: Pick<ImageRequest, 'roles' | 'release'>): string | undefined {
  if (request.release !== undefined && image.release !== request.release) return `it is ${image.release}, not ${request.release}`;
  const lacking = request.roles.filter((role) => !image.roles.includes(role));
  return lacking.length === 0 ? undefined : `it lacks ${rolesText(lacking)}`;
}

/** What an image has that was not asked for; undefined where it is nothing. */
function surplus(image: StoredImage, { roles }: Pick<ImageRequest, 'roles'>): string | undefined {
  const extra = image.roles.filter((role) => !roles.includes(role));
  if (extra.length > 0) return `it has ${rolesText(extra)} too`;
  return image.more.length > 0 ? `it has more: ${image.more.join(', ')}` : undefined;
}

function newestGatedFirst(a: StoredImage, b: StoredImage): number {
  const passed = Number(b.gate === 'passed') - Number(a.gate === 'passed');
  return passed !== 0 ? passed : a.created === b.created ? (a.reference < b.reference ? -1 : 1) : a.created < b.created ? 1 : -1;
}

function unfitHint(image: StoredImage, request: ImageRequest): string {
  if (request.roles.length === 0) return 'Leave --release away, or name another image.';
  return `Leave --image away, and an image with ${request.roles.length === 1 ? 'that role' : 'those roles'} is found or built: ${roleFlags(request.release ?? image.release, request.roles)}. Or let a template start from this one (from: ${image.reference}).`;
}

function unknownHint(name: string, request: ImageRequest, facts: ImageFacts): string | undefined {
  const release = facts.releases.find((id) => name === id || name.startsWith(`${id}-`));
  if (facts.templates.includes(name)) return `Build it first: \`ingot build ${name}\`.`;
  if (release === undefined) return undefined;
  const roles = request.roles.length > 0 ? request.roles : [name.slice(release.length + 1)].filter((role) => role !== '');
  return `Leave --image away, and an image is found or built: ${roleFlags(request.release ?? release, roles)}.`;
}

function roleFlags(release: string, roles: readonly string[]): string {
  return [`--release ${release}`, ...roles.map((role) => `--role ${role}`)].join(' ');
}

function rolesText(roles: readonly string[]): string {
  return roles.length === 0 ? 'no role' : `the role${roles.length === 1 ? '' : 's'} ${roles.join(' and ')}`;
}

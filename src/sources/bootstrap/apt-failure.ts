import { IngotError } from '../../base/errors.ts';
import type { PackageRepository } from '../../template/template.ts';

type Further = Pick<PackageRepository, 'name' | 'uri' | 'suites'>;

/**
 * What a failed `apt-get update` means, by its messages: `metadata-expired`, `signature-invalid`, `release-missing`, `mirror-unreachable`. A further
 * repository of the template or of a role is called by its name, since no mirror of the distribution helps there.
 */
export function updateFailure(stderr: string, repositories: readonly Further[] = []): IngotError {
  const errors = stderr
    .split('\n')
    .filter((line) => /^[EW]:/.test(line))
    .join('\n');
  const further = repositories.find(({ uri }) => errors.includes(uri.replace(/\/+$/, '')));
  const fail = (errorClass: 'verification' | 'upstream', code: string, [message, hint]: readonly [string, string]): IngotError =>
    new IngotError(errorClass, code, message, { hint, detail: errors });
  if (/is (?:expired|not valid anymore)|Release file .* is expired/i.test(errors))
    return fail('upstream', 'metadata-expired', ['The repository metadata is past its Valid-Until date', '']);
  if (/NO_PUBKEY|BADSIG|not signed|EXPKEYSIG|signatures were invalid|couldn't be verified|Signed file isn't valid|Clearsigned file isn't valid/i.test(errors)) {
    return fail('verification', 'signature-invalid', further === undefined ? UNSIGNED : unsignedOf(further));
  }
  if (/does not have a Release file|404\s+Not Found/i.test(errors))
    return fail('upstream', 'release-missing', further === undefined ? MISSING : missingOf(further));
  return fail('upstream', 'mirror-unreachable', further === undefined ? UNREACHABLE : unreachableOf(further));
}

const UNSIGNED = [
  'The repository metadata is not signed by a key that the catalog pins',
  'Use another mirror. If the distribution has new keys, update ingot.',
] as const;
const MISSING = ['The mirror does not have this release', 'Check --mirror: it is the folder above dists/.'] as const;
const UNREACHABLE = [
  'The repository metadata could not be read from the mirror',
  'Check the network, or name another mirror with --mirror; --offline builds from what was last seen.',
] as const;

const INSTEAD = 'A repository of the same name under system.repositories takes its place.';

const unsignedOf = ({ name, uri }: Further): [string, string] => [
  `The repository ${name} (${uri}) is not signed by the key that it is said to have`,
  `Either the key is another repository's, or somebody changed what it serves. ${INSTEAD}`,
];
const missingOf = ({ name, uri, suites }: Further): [string, string] => [
  `The repository ${name} (${uri}) does not have what is asked of it: ${suites.join(', ')}`,
  `Its vendor may not serve this release yet, or the address is wrong. ${INSTEAD}`,
];
const unreachableOf = ({ name, uri }: Further): [string, string] => [
  `The repository ${name} (${uri}) could not be read`,
  `Check the network; --offline builds from what was last seen. ${INSTEAD}`,
];

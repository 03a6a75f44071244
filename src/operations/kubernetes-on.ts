import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import type { KubernetesVersions, KubernetesVersionView } from '../platforms/kubernetes-versions.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findTarget } from '../publish/targets.ts';
import { formatSize } from '../base/types.ts';
import type { Context } from './operation.ts';

/** Works with the Kubernetes versions of a target. Throws `kubernetes-unsupported`. */
export async function onKubernetes<T>(
  context: Context,
  target: string,
  what: string,
  work: (versions: KubernetesVersions, span: Span) => Promise<T>,
): Promise<T> {
  await using platform = await openPlatform(context, await findTarget(context, target));
  const { kubernetesVersions } = platform;
  if (kubernetesVersions === undefined)
    throw new IngotError('usage', 'kubernetes-unsupported', `${target} makes no Kubernetes clusters of its own`, {
      hint: 'CloudStack does. Elsewhere, the role kubernetes makes nodes.',
    });
  return await context.events.stage(what, (span) => work(kubernetesVersions, span));
}

/** What a node has at least. */
export function nodeText({ cpus, memory }: KubernetesVersionView): string {
  return [...(cpus === undefined ? [] : [`${cpus} CPUs`]), ...(memory === undefined ? [] : [formatSize(memory)])].join(', ');
}

import * as z from 'zod';
import type { Span } from '../base/events.ts';

/* Versions of Kubernetes for clusters that a platform makes itself. */

export const kubernetesVersionViewSchema = z.strictObject({
  id: z.string(),
  version: z.string().describe('As in 1.33.1'),
  name: z.string(),
  zone: z.string().describe('The zone that has it; all for every one'),
  enabled: z.boolean(),
  cpus: z.int().optional().describe('Processors that a node has at least'),
  memory: z.int().optional().describe('Bytes that a node has at least'),
});
export type KubernetesVersionView = z.output<typeof kubernetesVersionViewSchema>;

export interface NewKubernetesVersion {
  readonly version: string;
  /** Of what people choose; default: the version with a `v` before it. */
  readonly name?: string | undefined;
  /** Of the ISO with its binaries. */
  readonly url: string;
  /** Hexadecimal digits of its SHA-256. */
  readonly sha256?: string | undefined;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** None for all. */
  readonly zone?: string | undefined;
}

export interface KubernetesVersions {
  list(zone?: string): Promise<KubernetesVersionView[]>;
  /**
   * Adds one, and waits until its ISO is in its zones; one that is there already is waited for. What does not come is removed again. Throws `version-invalid`,
   * `kubernetes-missing`, and what waiting throws.
   */
  add(version: NewKubernetesVersion, span?: Span): Promise<KubernetesVersionView>;
  /** Removes one by its version, name or identifier, with its ISO. Throws `kubernetes-version-unknown`, `kubernetes-version-ambiguous`. */
  remove(wanted: string, options: { readonly zone?: string | undefined; readonly span?: Span | undefined }): Promise<KubernetesVersionView>;
}

import type { Span } from '../base/events.ts';

/* Templates of a target as files: what a platform gives out of what it has. */

/** A template that can be fetched. */
export interface FetchableTemplate {
  readonly name: string;
  readonly id: string;
  readonly place: string;
  /** As the platform calls it: `QCOW2`. */
  readonly format: string;
  /** Where it is, for some hours: whoever knows the address can fetch it. */
  readonly url: string;
  /** What the platform says to a download that fails. */
  readonly hint: string;
}

export interface RemoteTemplates {
  /** Lets a template be fetched, by its name or identifier. Throws `template-unknown` with the nearest names, `template-ambiguous`, `template-locked`. */
  open(name: string, options: { readonly place?: string | undefined; readonly span?: Span | undefined }): Promise<FetchableTemplate>;
}

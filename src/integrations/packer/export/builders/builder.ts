import type { HclBlock } from '../../hcl/document.ts';
import type { Installation } from '../install.ts';
import type { BuildAccount, Origin } from '../project.ts';

/** What a builder's source is made from. */
export interface BuilderInput extends Origin {
  readonly account: BuildAccount;
  /** Absent where nothing is installed: it starts from a disk or template that is there. */
  readonly installation?: Installation;
}

/** One of Packer's builders, as a file of a project. Every builder is a file of this folder, and a line of `BUILDERS`. */
export interface PackerBuilder {
  /** What it is for, as a line of the project's README. */
  readonly use: string;
  /** It begins with the medium that installs the release. */
  readonly installs: boolean;
  /** Its plugin: address and least version. */
  readonly plugin: { readonly name: string; readonly source: string; readonly version: string };
  /** The variables that it alone has. */
  variables(input: BuilderInput): HclBlock[];
  source(input: BuilderInput): HclBlock;
  /** The machine is turned off by a command that also removes the account; else the last script removes it. */
  readonly shutdownCommand: boolean;
}

import type { StandIn, StandInOptions } from '../../support/stand-in.ts';

/** A role as it is built, booted and tested: with which parameters, beside which other roles, and what else the template says. */
export interface RoleCase {
  readonly role: string;
  /** Tells the cases of a role apart; default `default`. */
  readonly variant?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Roles that come before it, alone or with their parameters. */
  readonly with?: readonly (string | Readonly<Record<string, Readonly<Record<string, unknown>>>>)[];
  /** Default: debian-12 and debian-13. */
  readonly releases?: readonly string[];
  /** Stands for repositories and downloads that cannot be had; then the case never counts as tested. */
  readonly standIn?: StandInOptions;
  /** What the stand-in's addresses and checksums decide. */
  readonly served?: (standIn: StandIn) => { readonly parameters?: Readonly<Record<string, unknown>> };
  /** More of the template: users, steps, tests. Not `system.repositories`, which hold the stand-in's. */
  readonly template?: Readonly<Record<string, unknown>>;
}

export const DEFAULT_RELEASES = ['debian-12', 'debian-13'] as const;

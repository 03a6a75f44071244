import type { GuestSettings } from '../store/model.ts';
import type { ResolvedTemplate } from '../template/template.ts';

type Account = NonNullable<GuestSettings['accounts']>[number];

/**
 * What a template, and the image that it starts from, settle of things that a machine has from its platform otherwise; undefined for nothing. Who
 * logs in to such a machine, or looks at its disk, has to know it.
 */
export function guestSettings({ system, users }: Pick<ResolvedTemplate, 'system' | 'users'>, base: GuestSettings = {}): GuestSettings | undefined {
  const hostname = system.hostname === undefined || system.hostname === 'platform' ? base.hostname : system.hostname;
  const sshPort = system.sshd?.port ?? base.sshPort;
  const accounts = new Map((base.accounts ?? []).map((account): [string, Account] => [account.name, account]));
  for (const { name, sshKeys, passwordHash } of users) {
    const keys = sshKeys.length > 0 || accounts.get(name)?.keys === true;
    accounts.set(name, { name, keys, password: passwordHash !== undefined });
  }
  const known = [...accounts.values()].filter(({ keys, password }) => keys || password);
  if (hostname === undefined && sshPort === undefined && known.length === 0) return undefined;
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(sshPort === undefined ? {} : { sshPort }),
    ...(known.length === 0 ? {} : { accounts: known }),
  };
}

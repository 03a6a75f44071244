import type { Operation } from './operation.ts';

/** Headings under which commands are listed. */
export const GROUPS = {
  images: 'Images',
  queue: 'Queue of builds',
  templates: 'Templates',
  catalog: 'Catalog and roles',
  vms: 'Virtual machines',
  labs: 'Labs of virtual machines',
  settings: 'Settings and secrets',
  host: 'This host',
  shell: 'Shell',
} as const;

export interface RegistryEntry {
  readonly group: keyof typeof GROUPS;
  /** Imports the operation; nothing of it is loaded before. */
  readonly load: () => Promise<{ readonly default: AnyOperation }>;
}

/** An operation of which only the declaration is known. Method parameters make every operation fit it. */
export type AnyOperation = Operation;

/**
 * Every operation by its name, in the order of the help. The file of `image list` is `image-list.ts`; its summary is
 * in its declaration.
 */
export const REGISTRY: Readonly<Record<string, RegistryEntry>> = {
  build: { group: 'images', load: () => import('./build.ts') },
  'build logs': { group: 'images', load: () => import('./build-logs.ts') },
  plan: { group: 'images', load: () => import('./plan.ts') },
  lock: { group: 'images', load: () => import('./lock.ts') },
  explain: { group: 'images', load: () => import('./explain.ts') },
  'queue add': { group: 'queue', load: () => import('./queue-add.ts') },
  'queue list': { group: 'queue', load: () => import('./queue-list.ts') },
  'queue run': { group: 'queue', load: () => import('./queue-run.ts') },
  'queue cancel': { group: 'queue', load: () => import('./queue-cancel.ts') },
  'queue retry': { group: 'queue', load: () => import('./queue-retry.ts') },
  'template list': { group: 'templates', load: () => import('./template-list.ts') },
  'template show': { group: 'templates', load: () => import('./template-show.ts') },
  'template validate': { group: 'templates', load: () => import('./template-validate.ts') },
  'template init': { group: 'templates', load: () => import('./template-init.ts') },
  'catalog distros': { group: 'catalog', load: () => import('./catalog-distros.ts') },
  'catalog distro': { group: 'catalog', load: () => import('./catalog-distro.ts') },
  'catalog check': { group: 'catalog', load: () => import('./catalog-check.ts') },
  'catalog roles': { group: 'catalog', load: () => import('./catalog-roles.ts') },
  'catalog role': { group: 'catalog', load: () => import('./catalog-role.ts') },
  'role new': { group: 'catalog', load: () => import('./role-new.ts') },
  'role validate': { group: 'catalog', load: () => import('./role-validate.ts') },
  'catalog packages': { group: 'catalog', load: () => import('./catalog-packages.ts') },
  'catalog package': { group: 'catalog', load: () => import('./catalog-package.ts') },
  'catalog repositories': { group: 'catalog', load: () => import('./catalog-repositories.ts') },
  'image list': { group: 'images', load: () => import('./image-list.ts') },
  'image show': { group: 'images', load: () => import('./image-show.ts') },
  'image history': { group: 'images', load: () => import('./image-history.ts') },
  'image tree': { group: 'images', load: () => import('./image-tree.ts') },
  'image diff': { group: 'images', load: () => import('./image-diff.ts') },
  'image tag': { group: 'images', load: () => import('./image-tag.ts') },
  'image remove': { group: 'images', load: () => import('./image-remove.ts') },
  'image verify': { group: 'images', load: () => import('./image-verify.ts') },
  'image sbom': { group: 'images', load: () => import('./image-sbom.ts') },
  'image provenance': { group: 'images', load: () => import('./image-provenance.ts') },
  'image sign': { group: 'images', load: () => import('./image-sign.ts') },
  'image push': { group: 'images', load: () => import('./image-push.ts') },
  'image pull': { group: 'images', load: () => import('./image-pull.ts') },
  'image export': { group: 'images', load: () => import('./image-export.ts') },
  'image save': { group: 'images', load: () => import('./image-save.ts') },
  'image load': { group: 'images', load: () => import('./image-load.ts') },
  'image backup': { group: 'images', load: () => import('./image-backup.ts') },
  'image restore': { group: 'images', load: () => import('./image-restore.ts') },
  'image warm': { group: 'images', load: () => import('./image-warm.ts') },
  'image prune': { group: 'images', load: () => import('./image-prune.ts') },
  'vm create': { group: 'vms', load: () => import('./vm-create.ts') },
  'vm start': { group: 'vms', load: () => import('./vm-start.ts') },
  'vm stop': { group: 'vms', load: () => import('./vm-stop.ts') },
  'vm restart': { group: 'vms', load: () => import('./vm-restart.ts') },
  'vm suspend': { group: 'vms', load: () => import('./vm-suspend.ts') },
  'vm resume': { group: 'vms', load: () => import('./vm-resume.ts') },
  'vm ssh': { group: 'vms', load: () => import('./vm-ssh.ts') },
  'vm exec': { group: 'vms', load: () => import('./vm-exec.ts') },
  'vm copy': { group: 'vms', load: () => import('./vm-copy.ts') },
  'vm wait': { group: 'vms', load: () => import('./vm-wait.ts') },
  'vm console': { group: 'vms', load: () => import('./vm-console.ts') },
  'vm screenshot': { group: 'vms', load: () => import('./vm-screenshot.ts') },
  'vm logs': { group: 'vms', load: () => import('./vm-logs.ts') },
  'vm list': { group: 'vms', load: () => import('./vm-list.ts') },
  'vm show': { group: 'vms', load: () => import('./vm-show.ts') },
  'vm stats': { group: 'vms', load: () => import('./vm-stats.ts') },
  'vm ssh-config': { group: 'vms', load: () => import('./vm-ssh-config.ts') },
  'vm inventory': { group: 'vms', load: () => import('./vm-inventory.ts') },
  'vm export': { group: 'vms', load: () => import('./vm-export.ts') },
  'vm resize': { group: 'vms', load: () => import('./vm-resize.ts') },
  'vm rename': { group: 'vms', load: () => import('./vm-rename.ts') },
  'vm clone': { group: 'vms', load: () => import('./vm-clone.ts') },
  'vm snapshot create': { group: 'vms', load: () => import('./vm-snapshot-create.ts') },
  'vm snapshot list': { group: 'vms', load: () => import('./vm-snapshot-list.ts') },
  'vm snapshot tree': { group: 'vms', load: () => import('./vm-snapshot-tree.ts') },
  'vm snapshot restore': { group: 'vms', load: () => import('./vm-snapshot-restore.ts') },
  'vm snapshot delete': { group: 'vms', load: () => import('./vm-snapshot-delete.ts') },
  'vm protect': { group: 'vms', load: () => import('./vm-protect.ts') },
  'vm autostart': { group: 'vms', load: () => import('./vm-autostart.ts') },
  'vm forward': { group: 'vms', load: () => import('./vm-forward.ts') },
  'vm disk': { group: 'vms', load: () => import('./vm-disk.ts') },
  'vm delete': { group: 'vms', load: () => import('./vm-delete.ts') },
  'profile list': { group: 'vms', load: () => import('./profile-list.ts') },
  'profile show': { group: 'vms', load: () => import('./profile-show.ts') },
  'profile set': { group: 'vms', load: () => import('./profile-set.ts') },
  'profile remove': { group: 'vms', load: () => import('./profile-remove.ts') },
  'lab up': { group: 'labs', load: () => import('./lab-up.ts') },
  'lab down': { group: 'labs', load: () => import('./lab-down.ts') },
  'lab status': { group: 'labs', load: () => import('./lab-status.ts') },
  'lab diff': { group: 'labs', load: () => import('./lab-diff.ts') },
  'lab exec': { group: 'labs', load: () => import('./lab-exec.ts') },
  'lab ssh': { group: 'labs', load: () => import('./lab-ssh.ts') },
  'lab snapshot create': { group: 'labs', load: () => import('./lab-snapshot-create.ts') },
  'lab snapshot list': { group: 'labs', load: () => import('./lab-snapshot-list.ts') },
  'lab snapshot restore': { group: 'labs', load: () => import('./lab-snapshot-restore.ts') },
  'lab snapshot delete': { group: 'labs', load: () => import('./lab-snapshot-delete.ts') },
  'config list': { group: 'settings', load: () => import('./config-list.ts') },
  'config get': { group: 'settings', load: () => import('./config-get.ts') },
  'config set': { group: 'settings', load: () => import('./config-set.ts') },
  'config unset': { group: 'settings', load: () => import('./config-unset.ts') },
  'config edit': { group: 'settings', load: () => import('./config-edit.ts') },
  'secret set': { group: 'settings', load: () => import('./secret-set.ts') },
  'secret list': { group: 'settings', load: () => import('./secret-list.ts') },
  'key show': { group: 'settings', load: () => import('./key-show.ts') },
  'secret remove': { group: 'settings', load: () => import('./secret-remove.ts') },
  doctor: { group: 'host', load: () => import('./doctor.ts') },
  setup: { group: 'host', load: () => import('./setup.ts') },
  completion: { group: 'shell', load: () => import('./completion.ts') },
};

/** Loads an operation that is in the registry. */
export async function loadOperation(name: string): Promise<AnyOperation> {
  const entry = REGISTRY[name];
  if (entry === undefined) throw new Error(`there is no operation ${name}`);
  return (await entry.load()).default;
}

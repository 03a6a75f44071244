import type { RootFile } from '../../workspace/guest-root.ts';
import { rootFile } from '../changes.ts';

/**
 * Since 4.20 rpm runs scripts in namespaces of their own (rpm-plugin-unshare(8)), which takes a right that nothing in a workspace has: every script
 * would fail. An empty macro leaves the plugin out.
 */
export const QUIET: RootFile = rootFile('/etc/rpm/macros.ingot-workspace', '%__transaction_unshare %{nil}\n');

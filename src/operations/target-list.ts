import * as z from 'zod';
import { targetReference } from '../platforms/platform.ts';
import { listTargets } from '../publish/targets.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'target list',
  summary: 'List the connections to platforms',
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({ targets: z.array(z.strictObject({ target: z.string(), url: z.string(), tokenId: z.string().optional(), trust: z.string() })) }),
  examples: [{ command: 'ingot target list', does: 'what one can publish to' }],
  async run(_input, context) {
    const targets = await listTargets(context);
    return {
      targets: targets.map((target) => ({
        target: targetReference(target),
        url: target.url,
        ...(target.platform === 'proxmox' ? { tokenId: target.tokenId } : {}),
        trust: target.url.startsWith('http:') ? 'none' : target.trust.kind === 'fingerprint' ? target.trust.sha256 : target.trust.kind,
      })),
    };
  },
  render({ targets }, options) {
    if (targets.length === 0) return 'There are no targets. `ingot target add` makes one: docs/proxmox.md and docs/cloudstack.md tell how.';
    const known: Readonly<Record<string, string>> = { ca: 'its CA', system: "the system's CAs", none: 'nothing (no TLS)' };
    const rows = targets.map(({ target, url, tokenId, trust }) => [target, url, tokenId ?? '-', known[trust] ?? `${trust.slice(0, 23)}…`]);
    return renderTable([{ title: 'TARGET' }, { title: 'URL' }, { title: 'TOKEN' }, { title: 'KNOWN BY', shrink: true }], rows, options);
  },
});

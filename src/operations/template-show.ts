import { Document, isMap, isScalar, isSeq, visit, type Node } from 'yaml';
import * as z from 'zod';
import { childOverrides } from '../template/child.ts';
import { findTemplate } from '../template/find.ts';
import { effectiveTemplate, originsOf } from '../template/effective.ts';
import { loadTemplate } from '../template/load.ts';
import { shownFile } from '../template/placed.ts';
import { Reading } from '../template/reading.ts';
import { resolveTemplate } from '../template/resolve.ts';
import { defineOperation } from './operation.ts';
import { templateInput, variablesOf } from './request-input.ts';
import { styled } from './table.ts';

export default defineOperation({
  name: 'template show',
  summary: 'Show a template as it takes effect: files joined, variables filled in',
  description:
    'As YAML that is itself a template. With --origin, each value has its file and line beside it. --json also gives the resolved template: defaults filled in, files hashed, keys read; what planning starts from.',
  kind: 'query',
  input: z.strictObject({
    template: z
      .string()
      .min(1)
      .describe('A template file, a template of your folder by its name, or a release')
      .meta({ positional: true, complete: 'template' }),
    var: templateInput.var,
    origin: z.boolean().default(false).describe('Show beside each value where it was written'),
    offline: z.boolean().default(false).describe('Ask no address that the template names; use what it said last'),
  }),
  output: z.strictObject({
    file: z.string().nullable(),
    /** All files that it was joined from, the one asked for last. */
    files: z.array(z.string()),
    variables: z.record(z.string(), z.unknown()),
    template: z.record(z.string(), z.unknown()),
    /** Path of a value (`/steps/0/run`) -> file and line; empty without `origin`. */
    origins: z.record(z.string(), z.string()),
    resolved: z.record(z.string(), z.unknown()),
  }),
  examples: [
    { command: 'ingot template show web.yaml', does: 'what a template is after all that it extends and includes' },
    { command: 'ingot template show web.yaml --origin --var port=8080', does: 'the same with a variable set, and the file and line of each value' },
  ],
  async run(input, context) {
    const reading = new Reading(context);
    const found = await findTemplate(context, input.template);
    const loaded = found.kind === 'file' ? await loadTemplate(context, found.path, { variables: variablesOf(input.var), reading }) : undefined;
    const none = { roles: [], packages: [], ...(found.kind === 'release' ? { from: found.id } : {}) };
    const overrides = found.kind === 'child' ? await childOverrides(context, found, none) : none;
    const resolved = await resolveTemplate(context, loaded, overrides, { reading, offline: input.offline });
    const shown = (file: string): string => shownFile(file, context.folder);
    return {
      file: found.kind === 'file' ? shown(found.path) : null,
      files: (loaded?.files ?? []).map(shown),
      variables: { ...loaded?.variables },
      template:
        loaded === undefined
          ? { from: 'release' in resolved.base ? resolved.base.release : 'reference' in resolved.base ? resolved.base.reference : null }
          : effectiveTemplate(loaded),
      origins: loaded === undefined || !input.origin ? {} : originsOf(loaded, context.folder),
      resolved: { ...resolved },
    };
  },
  render({ template, origins }, options) {
    const document = new Document(template);
    comment(document.contents, '', origins);
    visit(document, {
      Scalar: (_, node) => {
        // Where blanks at a line's end or beginning matter, quotes keep them.
        if (typeof node.value === 'string' && node.value.includes('\n')) node.type = /^\s|[ \t\r]\n|\n\n$/.test(node.value) ? 'QUOTE_DOUBLE' : 'BLOCK_LITERAL';
      },
    });
    const text = document.toString({ lineWidth: 0, indentSeq: true });
    return text
      .split('\n')
      .map((line) => line.replace(/(?<= )# [^#"']+:\d+$/, (origin) => styled(origin, 'dim', options)))
      .join('\n');
  },
});

/** Puts the origin of each single value beside it. */
function comment(node: Node | null, path: string, origins: Readonly<Record<string, string>>): void {
  if (isScalar(node)) {
    if (origins[path] !== undefined) node.comment = ` ${origins[path]}`;
  } else if (isMap<Node, Node>(node)) {
    for (const { key, value } of node.items) comment(value, `${path}/${isScalar(key) ? String(key.value) : ''}`, origins);
  } else if (isSeq<Node>(node)) {
    for (const [i, item] of node.items.entries()) comment(item, `${path}/${i}`, origins);
  }
}

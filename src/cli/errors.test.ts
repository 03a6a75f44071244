import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { errorDocument, renderError } from './errors.ts';

const PLAIN = { color: false, width: 80, verbose: false };

describe('errors', () => {
  test('sentence, problems with their places, cause, evidence, hint', () => {
    const error = new IngotError('usage', 'template-invalid', 'web.yaml is not a template', {
      hint: 'The schema of templates is in docs/reference/template.md, and `ingot template validate` checks a file without building it.',
      cause: new Error('the inner reason', { cause: new Error('the innermost') }),
      detail: '$ tool --flag\nE: \u001B[31mred\u001B[0m\u0007 text\n',
      problems: [
        { message: 'is unknown', path: 'pakages', hint: 'Did you mean packages?', position: { file: 'web.yaml', line: 3, column: 1 } },
        { message: 'must be a number', path: 'cpus' },
      ],
    });
    expect(renderError(error, PLAIN)).toMatchInlineSnapshot(`
      "error: web.yaml is not a template (template-invalid)
        web.yaml:3:1 pakages: is unknown. Did you mean packages?
        cpus: must be a number
        caused by: the inner reason
        caused by: the innermost

          $ tool --flag
          E: red text

      hint: The schema of templates is in docs/reference/template.md, and \`ingot
            template validate\` checks a file without building it.
      "
    `);
  });

  test('a defect asks to be reported, with the stack only where verbose', () => {
    const defect = new TypeError('x is not a function');
    const short = renderError(defect, PLAIN);
    expect(short).toContain('error: x is not a function (internal)');
    expect(short).toContain('Please report it');
    expect(short).not.toContain('errors.test.ts');
    expect(renderError(defect, { ...PLAIN, verbose: true })).toContain('errors.test.ts');
  });

  test('a JSON document on one line', () => {
    const document = errorDocument(new IngotError('conflict', 'locked', 'web is in use', { hint: 'Wait.', cause: new Error('why') }));
    expect(document.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(document)).toEqual({
      error: { code: 'locked', class: 'conflict', exitCode: 4, message: 'web is in use', hint: 'Wait.', causes: ['why'] },
    });
  });
});

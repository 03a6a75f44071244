import type { Publication } from './journal.ts';

export const REPORT_FORMATS = ['json', 'html', 'junit'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** What a publication is and what its trials found, as a file for people (`html`), for CI (`junit`) or for programs (`json`). Pure. */
export function renderReport(publication: Publication, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(reportOf(publication), undefined, 2)}\n`;
  return format === 'junit' ? junit(publication) : html(publication);
}

function reportOf({ id, target, image, state, places, created, updated, promoted, failure }: Publication) {
  return { id, target, image, state, created, updated, promoted, failure, places: places.map(({ id, state, checks }) => ({ id, state, checks })) };
}

function junit({ id, target, image, places, failure }: Publication): string {
  const suites = places.map((place) => {
    const count = (result: string): number => place.checks.filter((check) => check.result === result).length;
    const cases = place.checks.map(({ name, result, detail, seconds }) => {
      const body =
        result === 'failed'
          ? `<failure message="${escape(firstLine(detail))}">${escape(detail ?? '')}</failure>`
          : result === 'not-run'
            ? `<skipped message="${escape(detail ?? '')}"/>`
            : '';
      return `    <testcase classname="${escape(id)}" name="${escape(name)}" time="${seconds ?? 0}">${body}</testcase>`;
    });
    return [
      `  <testsuite name="${escape(`${image.reference} on ${target}, ${place.id}`)}" tests="${place.checks.length}" failures="${count('failed')}" skipped="${count('not-run')}">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  // What ended it before any check is no test that passed.
  const early =
    failure === undefined
      ? []
      : [
          `  <testsuite name="${escape(`publication of ${image.reference} to ${target}`)}" tests="1" failures="0" errors="1">`,
          `    <testcase classname="${escape(id)}" name="publication"><error type="${escape(failure.code)}" message="${escape(failure.message)}"/></testcase>`,
          '  </testsuite>',
        ];
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, ...early, '</testsuites>', ''].join('\n');
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}pre{margin:0;white-space:pre-wrap}.passed{color:#197a3a}.failed{color:#b3261e}.not-run{color:#8a6100}';

function html(publication: Publication): string {
  const { id, target, image, state, places, updated, failure } = publication;
  const facts: readonly (readonly [string, string])[] = [
    ['Target', target],
    ['Image', image.reference],
    ['Digest', image.digest],
    ['Release', image.release],
    ['Gate before it was published', image.gate],
    ['State', state],
    ['Last change', updated],
    ...(failure === undefined ? [] : ([['Ended early', `${failure.code}: ${failure.message}`]] as const)),
  ];
  const rows = facts.map(([name, value]) => `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`).join('\n');
  const trials = places.map(({ id: place, checks }) => {
    const lines = checks.map(
      ({ name, result, detail, seconds }) =>
        `<tr><td class="${result}">${result === 'not-run' ? 'not run' : result}</td><td>${escape(name)}</td><td>${seconds === undefined ? '' : `${seconds} s`}</td><td><pre>${escape(detail ?? '')}</pre></td></tr>`,
    );
    return `<h2>${escape(place)}</h2>\n<table>\n${lines.join('\n')}\n</table>`;
  });
  return `<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>${escape(id)}</title><style>${STYLE}</style>\n<h1>${escape(id)}</h1>\n<table>\n${rows}\n</table>\n${trials.join('\n')}\n</html>\n`;
}

function firstLine(text: string | undefined): string {
  return text?.split('\n')[0] ?? '';
}

/** For text and attributes of XML and HTML; what XML cannot hold is left out. */
function escape(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

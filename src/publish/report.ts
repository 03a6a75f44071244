import { IngotError } from '../base/errors.ts';
import type { FleetRun } from './fleet.ts';
import type { Publication } from './journal.ts';

export const REPORT_FORMATS = ['json', 'html', 'junit'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** What a publication is and what its trials found, as a file for people (`html`), for CI (`junit`) or for programs (`json`). Pure. */
export function renderReport(publication: Publication, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(reportOf(publication), undefined, 2)}\n`;
  return format === 'junit' ? junit(publication) : html(publication);
}

/** The format of a report by its file's name. Throws `report-format-unknown`. */
export function reportFormatOf(file: string): ReportFormat {
  const format = { json: 'json', html: 'html', htm: 'html', xml: 'junit' }[/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? ''];
  const known = REPORT_FORMATS.find((one) => one === format);
  if (known !== undefined) return known;
  throw new IngotError('usage', 'report-format-unknown', `The name of ${file} does not say what kind of report it is to be`, {
    hint: 'Let it end in .html for people, .xml for JUnit, or .json.',
  });
}

/** What became of several images in one command, as {@link renderReport} does it for one publication. Pure. */
export function renderRuns(runs: readonly FleetRun[], format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify({ runs: runs.map(runReport) }, undefined, 2)}\n`;
  return format === 'junit' ? junitFile(runs.flatMap(runSuites)) : htmlPage('Publications', [summaryTable(runs), ...runs.flatMap(runSection)]);
}

function runReport({ image, target, outcome, publication, removed, kept, error }: FleetRun) {
  const problem = error === undefined ? {} : { error: { code: error.code, message: error.message } };
  return { image, target, outcome, ...problem, ...(publication === undefined ? {} : { publication: reportOf(publication) }), removed, kept };
}

function runSuites({ image, target, outcome, publication, error }: FleetRun): string[] {
  // What went wrong now stands for what the journal may know of it, which can be older.
  const { failure: _older, ...now } = publication ?? { places: [] };
  const suites = 'id' in now ? suitesOf(now) : [];
  if (error !== undefined) return [...suites, earlySuite(`publication of ${image} to ${target}`, `${target}/${image}`, error)];
  return outcome === 'stopped' ? [stoppedSuite(image, target)] : suites;
}

function stoppedSuite(image: string, target: string): string {
  return [
    `  <testsuite name="${escape(`publication of ${image} to ${target}`)}" tests="1" failures="0" skipped="1">`,
    `    <testcase classname="${escape(`${target}/${image}`)}" name="publication"><skipped message="it was stopped before this one was begun"/></testcase>`,
    '  </testsuite>',
  ].join('\n');
}

function summaryTable(runs: readonly FleetRun[]): string {
  const styles = { published: 'passed', unchanged: 'passed', failed: 'failed', stopped: 'not-run' } as const;
  const rows = runs.map(
    ({ image, target, outcome, publication, error }) =>
      `<tr><td class="${styles[outcome]}">${outcome}</td><td>${escape(image)}</td><td>${escape(target)}</td><td>${publication?.state ?? ''}</td><td>${error === undefined ? '' : escape(`${error.code}: ${error.message}`)}</td></tr>`,
  );
  return `<table>\n<tr><th>Result</th><th>Image</th><th>Target</th><th>State</th><th></th></tr>\n${rows.join('\n')}\n</table>`;
}

function runSection({ publication }: FleetRun): string[] {
  return publication === undefined ? [] : [`<h2>${escape(publication.id)}</h2>`, ...publicationTables(publication, 'h3')];
}

function reportOf({ id, target, image, state, places, created, updated, promoted, failure }: Publication) {
  return {
    id,
    target,
    image,
    state,
    created,
    updated,
    promoted,
    failure,
    places: places.map(({ id, state, child, checks }) => ({ id, state, child, checks })),
  };
}

function junit(publication: Publication): string {
  const { id, target, image, failure } = publication;
  // What ended it before any check is no test that passed.
  const early = failure === undefined ? [] : [earlySuite(`publication of ${image.reference} to ${target}`, id, failure)];
  return junitFile([...suitesOf(publication), ...early]);
}

function junitFile(suites: readonly string[]): string {
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join('\n');
}

function earlySuite(name: string, classname: string, { code, message }: { readonly code: string; readonly message: string }): string {
  return [
    `  <testsuite name="${escape(name)}" tests="1" failures="0" errors="1">`,
    `    <testcase classname="${escape(classname)}" name="publication"><error type="${escape(code)}" message="${escape(message)}"/></testcase>`,
    '  </testsuite>',
  ].join('\n');
}

function suitesOf({ id, target, image, places }: Publication): string[] {
  return places.map((place) => {
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
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}pre{margin:0;white-space:pre-wrap}.passed{color:#197a3a}.failed{color:#b3261e}.not-run{color:#8a6100}';

function html(publication: Publication): string {
  return htmlPage(publication.id, publicationTables(publication, 'h2'));
}

function htmlPage(title: string, parts: readonly string[]): string {
  return `<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style>\n<h1>${escape(title)}</h1>\n${parts.join('\n')}\n</html>\n`;
}

function publicationTables(publication: Publication, heading: 'h2' | 'h3'): string[] {
  const { target, image, state, places, updated, failure } = publication;
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
  const trials = places.map(({ id: place, child, checks }) => {
    const lines = checks.map(
      ({ name, result, detail, seconds }) =>
        `<tr><td class="${result}">${result === 'not-run' ? 'not run' : result}</td><td>${escape(name)}</td><td>${seconds === undefined ? '' : `${seconds} s`}</td><td><pre>${escape(detail ?? '')}</pre></td></tr>`,
    );
    return `<${heading}>${escape(place)}</${heading}>\n${child === undefined ? '' : `<p>${escape(child)}</p>\n`}<table>\n${lines.join('\n')}\n</table>`;
  });
  return [`<table>\n${rows}\n</table>`, ...trials];
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

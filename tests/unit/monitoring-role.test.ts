import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';

const FILES = fileURLToPath(new URL('../../catalog/roles/monitoring/files/', import.meta.url));
const DASHBOARDS = readdirSync(join(FILES, 'dashboards'));

/** What the exporters of Debian 12 and 13 were seen to tell in a guest; cAdvisor by its own documentation. */
const METRICS = new Set(
  ['node', 'prometheus', 'alertmanager', 'cadvisor'].flatMap((name) =>
    readFileSync(new URL(`metrics/${name}.txt`, import.meta.url), 'utf8')
      .trim()
      .split('\n'),
  ),
);
/** Made by Prometheus itself. */
for (const name of ['up', 'ALERTS', 'scrape_duration_seconds']) METRICS.add(name);

const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset']);

/** The names in an expression that stand for metrics. */
function metricsOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  return [...bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])/g)].map(([name]) => name).filter((name) => !WORDS.has(name));
}

function unknownMetrics(expression: string): string[] {
  return metricsOf(expression).filter((name) => !METRICS.has(name.replace(/_(bucket|sum|count)$/, '')) && !METRICS.has(name));
}

const datasource = z.object({ type: z.literal('prometheus'), uid: z.literal('prometheus') });
const dashboardSchema = z.object({
  uid: z.string().regex(/^[a-z-]+$/),
  title: z.string().min(1),
  schemaVersion: z.int().min(30),
  templating: z.object({ list: z.array(z.object({ name: z.string(), datasource, definition: z.string() })) }),
  panels: z
    .array(
      z.object({
        id: z.int(),
        type: z.enum(['timeseries', 'stat', 'bargauge']),
        title: z.string().min(1),
        datasource,
        gridPos: z.object({ x: z.int().min(0), y: z.int().min(0), w: z.int().min(1).max(24), h: z.int().min(1) }),
        targets: z.array(z.object({ refId: z.string(), expr: z.string().min(1) })).min(1),
      }),
    )
    .min(5),
});

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning', 'info', 'none']) }),
          annotations: z.object({ summary: z.string() }),
        }),
      ),
    }),
  ),
});

test('the reading of expressions finds metrics, and nothing else', () => {
  expect(metricsOf('1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) / scalar(count(a) > 0) and b == bool c')).toEqual([
    'node_cpu_seconds_total',
    'a',
    'b',
    'c',
  ]);
  expect(unknownMetrics('rate(node_cpu_second_total[5m])')).toEqual(['node_cpu_second_total']);
});

describe.each(DASHBOARDS)('the dashboard %s', (file) => {
  const dashboard = dashboardSchema.parse(JSON.parse(readFileSync(join(FILES, 'dashboards', file), 'utf8')));

  test('asks only for metrics that exist', () => {
    expect(dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => unknownMetrics(expr)))).toEqual([]);
    const asked = dashboard.templating.list.map(({ definition }) => /^label_values\(([^,]*),/.exec(definition)?.[1] ?? definition);
    expect(asked.flatMap(unknownMetrics)).toEqual([]);
  });

  test('has panels that fit beside each other', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [i, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      const over = panels.slice(i + 1).filter(({ gridPos: b }) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h);
      expect(
        over.map((panel) => panel.title),
        title,
      ).toEqual([]);
    }
  });

  test('uses its variables, and no others', () => {
    const used = new Set([...JSON.stringify(dashboard.panels).matchAll(/\$([a-z]+)\b/g)].map(([, name]) => name));
    expect([...used].toSorted()).toEqual(dashboard.templating.list.map(({ name }) => name).toSorted());
  });
});

test('dashboards have addresses of their own', () => {
  const uids = DASHBOARDS.map((file) => dashboardSchema.parse(JSON.parse(readFileSync(join(FILES, 'dashboards', file), 'utf8'))).uid);
  expect(new Set(uids).size).toBe(uids.length);
});

test('the alert rules ask only for metrics that exist', () => {
  const { groups } = rulesSchema.parse(parse(readFileSync(join(FILES, 'alerts.yml'), 'utf8')));
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.filter(({ expr }) => unknownMetrics(expr).length > 0).map(({ alert }) => alert)).toEqual([]);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
});

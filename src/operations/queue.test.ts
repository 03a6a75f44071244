import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostPath } from '../base/types.ts';
import { Queue } from '../queue/queue.ts';
import { takeOwner } from '../queue/recorder.ts';
import { sampleContext } from '../../tests/support/sample-builds.ts';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import buildLogs from './build-logs.ts';
import type { Operation } from './operation.ts';
import add from './queue-add.ts';
import cancel from './queue-cancel.ts';
import list from './queue-list.ts';
import retry from './queue-retry.ts';
import runQueue from './queue-run.ts';

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, at: SampleHome, input: Record<string, unknown>) {
  const context = { ...sampleContext(at), folder: hostPath(at.home.root) };
  const output = z.parse(operation.output, await operation.run(z.parse(operation.input, input), context));
  return { output, text: operation.render?.(output, { color: false, width: 100 }) ?? '', code: operation.exitCode?.(output) ?? 0 };
}

describe('the queue, from the command line', () => {
  test('add, list, cancel and retry', async () => {
    await using at = await sampleHome();
    expect((await run(list, at, {})).text).toMatch(/^Nothing waits/);
    await writeFile(join(at.home.root, 'web.yaml'), 'from: debian-12\n');
    await writeFile(join(at.home.root, 'fleet.yaml'), 'templates: [./web.yaml]\nreleases: [debian-12, debian-13]\nroles: [[], docker]\n');
    expect((await run(add, at, { templates: ['web.yaml', 'debian-13'], gate: 'none' })).text).toMatch(/^web waits as job 1\.\ndebian-13 waits as job 2\.\n/);
    const fleet = await run(add, at, { templates: ['fleet.yaml'], package: ['vim'] });
    expect(fleet.output.jobs.map(({ name }) => name)).toEqual(['web-debian-12', 'web-debian-12-docker', 'web-debian-13', 'web-debian-13-docker']);
    using queue = await Queue.open(at.host, at.home);
    expect(queue.find(6)?.request).toMatchObject({ template: join(at.home.root, 'web.yaml'), from: 'debian-13', roles: ['docker'], packages: ['vim'] });
    expect((await run(cancel, at, { ids: [2] })).text).toBe('Job 2 cancelled');
    await expect(run(cancel, at, { ids: [77] })).rejects.toMatchObject({ code: 'job-unknown' });
    await using owner = await takeOwner({ host: at.host, home: at.home, signal: new AbortController().signal }, 'a test');
    queue.claim(owner);
    queue.finish(1, owner, { state: 'failed', seconds: 5, errorCode: 'step-failed', error: 'The step failed' });
    const { text, output } = await run(list, at, {});
    expect(text).toContain('The step failed (step-failed)');
    expect(output.jobs.map(({ state }) => state)).toEqual(['failed', 'queued', 'queued', 'queued', 'queued']);
    expect((await run(list, at, { all: true })).output.jobs).toHaveLength(6);
    expect((await run(retry, at, { failed: true })).text).toBe('web waits again as job 1.');
    expect((await run(retry, at, { ids: [1] })).text).toBe('web waits or runs already as job 1.');
    await expect(run(retry, at, {})).rejects.toMatchObject({ code: 'jobs-unnamed' });
  });

  test('add refuses what is no template, before anything is added', async () => {
    await using at = await sampleHome();
    await expect(run(add, at, { templates: ['debian-12', 'nothing.yaml'] })).rejects.toMatchObject({ code: 'template-missing' });
    await expect(run(add, at, { templates: ['debian-12', 'debian-13'], name: 'one' })).rejects.toMatchObject({ code: 'name-for-many' });
    expect((await run(list, at, { all: true })).output.jobs).toEqual([]);
  });

  test('run ends a job that cannot be planned as failed, with its code, and goes on', async () => {
    await using at = await sampleHome();
    await writeFile(join(at.home.root, 'bad.yaml'), 'from: debian-12\nsteps: 3\n');
    await run(add, at, { templates: ['bad.yaml'], offline: true });
    await run(add, at, { templates: ['debian-12'], offline: true, gate: 'none' });
    const { output, code } = await run(runQueue, at, {});
    expect(output.failed.map(({ name }) => name)).toEqual(['bad', 'debian-12']);
    expect(code).not.toBe(0);
    using queue = await Queue.open(at.host, at.home);
    expect(queue.list({ all: true }).map(({ state, error_code }) => [state, error_code])).toEqual([
      ['failed', 'template-invalid'],
      ['failed', 'upstream-unknown'],
    ]);
    expect((await run(runQueue, at, {})).text).toBe('Nothing waited.');
  });
});

test('build logs says which images have one', async () => {
  await using at = await sampleHome();
  await at.host.files.makeDirectory(join(at.home.buildLogs, 'web'));
  await expect(run(buildLogs, at, { name: 'wep' })).rejects.toMatchObject({ code: 'build-log-missing', hint: 'Did you mean web?' });
});

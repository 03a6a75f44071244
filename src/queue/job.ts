import * as z from 'zod';

/** One image to be built, as it was asked for: what {@link Request} of a build says, as it is kept. */
export const requestSchema = z.object({
  template: z.string(),
  variables: z.record(z.string(), z.string()).readonly(),
  roles: z.array(z.string()).readonly(),
  packages: z.array(z.string()).readonly(),
  from: z.string().optional(),
  arch: z.enum(['amd64', 'arm64']).optional(),
  kernel: z.enum(['cloud', 'generic']).optional(),
  size: z.string().optional(),
  filesystem: z.enum(['ext4', 'xfs', 'btrfs']).optional(),
  name: z.string().optional(),
});

/**
 * `interrupted`: its process ended before it did, or was told to. `cancelled`: by `queue cancel`. `retried`: a later job is its second try.
 */
export const JOB_STATES = ['queued', 'running', 'done', 'failed', 'cancelled', 'interrupted'] as const;
export const jobStateSchema = z.enum(JOB_STATES);
export type JobState = z.output<typeof jobStateSchema>;

const time = z.string().nullable();

/** A row of the table `jobs`. */
export const jobRowSchema = z.object({
  id: z.int(),
  name: z.string(),
  request: z.string().transform((text, context) => parsedAs(requestSchema, text, context)),
  /** What holds for the whole command (mirrors, gate …): JSON that the caller reads by its own schema. */
  flags: z.string(),
  /** Where the user was: relative paths are relative to it. */
  folder: z.string(),
  state: jobStateSchema,
  owner: z.string().nullable(),
  pid: z.int().nullable(),
  cancel: z.int().transform((flag) => flag !== 0),
  tries: z.int(),
  created: z.string(),
  started: time,
  finished: time,
  seconds: z.number().nullable(),
  /** `built` or `cached`. */
  outcome: z.string().nullable(),
  error_code: z.string().nullable(),
  error: z.string().nullable(),
});
export type Job = z.output<typeof jobRowSchema>;

export type NewJob = Pick<Job, 'name' | 'request' | 'flags' | 'folder'>;

/** How a job ended. */
export interface JobEnd {
  readonly state: 'done' | 'failed' | 'cancelled' | 'interrupted';
  readonly seconds: number;
  readonly outcome?: 'built' | 'cached';
  readonly errorCode?: string;
  /** One sentence; secrets are masked before. */
  readonly error?: string;
}

function parsedAs<S extends z.ZodType>(schema: S, text: string, context: z.core.$RefinementCtx<string>): z.output<S> {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a request' });
    return z.NEVER;
  }
}

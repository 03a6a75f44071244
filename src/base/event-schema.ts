import * as z from 'zod';
import { EVENT_VERSION } from './events.ts';

const common = {
  v: z.literal(EVENT_VERSION),
  seq: z.int().nonnegative(),
  time: z.iso.datetime(),
  operation: z.string(),
  /** What it is about, where several things are worked on at the same time: an image. */
  scope: z.string().optional(),
};

/** How a span ended. `not-run` is a check that could not run: never the same as passed. */
export const spanStatus = z.enum(['done', 'cached', 'failed', 'not-run']);
export type SpanStatus = z.output<typeof spanStatus>;

/** Everything that a running operation tells: progress bars, build log, journal and HTTP stream are all made of these. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({
    ...common,
    type: z.literal('span-start'),
    span: z.string(),
    parent: z.string().optional(),
    kind: z.enum(['layer', 'stage', 'check']),
    label: z.string(),
  }),
  z.object({
    ...common,
    type: z.literal('span-progress'),
    span: z.string(),
    done: z.number(),
    total: z.number().optional(),
    unit: z.enum(['bytes', 'items']),
    note: z.string().optional(),
  }),
  z.object({ ...common, type: z.literal('span-end'), span: z.string(), status: spanStatus, seconds: z.number(), note: z.string().optional() }),
  z.object({ ...common, type: z.literal('output'), span: z.string().optional(), stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  /** How far the images of one command are. */
  z.object({
    ...common,
    type: z.literal('fleet'),
    built: z.int(),
    cached: z.int(),
    failed: z.int(),
    skipped: z.int(),
    running: z.int(),
    waiting: z.int(),
    /** Estimated from history; absent where there is none. */
    secondsLeft: z.number().optional(),
  }),
  /** How the work that a log is about ended: its last event. */
  z.object({ ...common, type: z.literal('result'), status: z.enum(['built', 'cached', 'failed', 'skipped']), seconds: z.number(), text: z.string() }),
  z.object({ ...common, type: z.literal('message'), level: z.enum(['debug', 'info', 'warn', 'error']), text: z.string() }),
]);

export type Event = z.output<typeof eventSchema>;

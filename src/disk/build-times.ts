import type { LayerRecord } from '../store/model.ts';

/** Seconds since 1970, both ends included. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** Seconds by which the clocks of this process and of a file system may differ. */
const SLACK = 2;
/** Seconds that making a base takes at most, before its file system is made. */
const LONGEST_BUILD = 3600;

/**
 * When the layers of an image were made: what was written then carries the time of the build, everything else a time of
 * its own (packages' files, unpacked archives). Where a record is missing (the image came from another machine), all since
 * an hour before the root's file system was made counts.
 */
export function buildWindows(records: readonly (Pick<LayerRecord, 'created' | 'seconds'> | undefined)[], filesystemMade: number): TimeWindow[] {
  if (records.some((record) => record === undefined)) return [{ from: filesystemMade - LONGEST_BUILD, to: Number.MAX_SAFE_INTEGER }];
  return records
    .filter((record) => record !== undefined)
    .map(({ created, seconds }) => {
      const end = Date.parse(created) / 1000;
      return { from: Math.floor(end - seconds) - SLACK, to: Math.ceil(end) + SLACK };
    });
}

/** Whether a time is one of a build. */
export function isBuildTime(time: number, windows: readonly TimeWindow[]): boolean {
  return windows.some(({ from, to }) => time >= from && time <= to);
}

/** The newest time that no build gave, in whole seconds: what build times become. 0 where there is none. */
export function newestOwnTime(times: readonly number[], windows: readonly TimeWindow[]): number {
  return times.reduce((newest, time) => (isBuildTime(time, windows) ? newest : Math.max(newest, Math.floor(time))), 0);
}

/** The windows as a condition for find, with bounds that -newermt takes (it means "later than"). */
export function findCondition(windows: readonly TimeWindow[]): string[] {
  const one = ({ from, to }: TimeWindow): string[] => [
    ...['(', '-newermt', `@${from - 1}.999999999`],
    ...(to === Number.MAX_SAFE_INTEGER ? [] : ['!', '-newermt', `@${to}`]),
    ')',
  ];
  return ['(', ...windows.flatMap((window, i) => (i === 0 ? one(window) : ['-o', ...one(window)])), ')'];
}

import { expect, test } from 'vitest';
import { Events, type Event } from './events.ts';

function eventsAt(): { readonly events: Events; readonly seen: Event[]; pass(milliseconds: number): void } {
  let time = 0;
  const seen: Event[] = [];
  const clock = { now: () => new Date(0), monotonic: () => time, sleep: () => Promise.resolve() };
  const random = { bytes: (count: number) => new Uint8Array(count) };
  return { events: new Events('test', (event) => void seen.push(event), { clock, random }), seen, pass: (milliseconds) => void (time += milliseconds) };
}

const told = (seen: readonly Event[]): unknown[] => seen.flatMap((event) => (event.type === 'span-progress' ? [[event.done, event.note]] : []));

test('of pieces that follow each other closely a reader sees some, the first and the last among them', () => {
  const { events, seen, pass } = eventsAt();
  const span = events.span('stage', 'a download');
  for (let done = 1; done <= 1000; done++) {
    span.progress(done, 1000, 'bytes');
    pass(1);
  }
  const shown = told(seen);
  expect(shown.length).toBeLessThan(20);
  expect(shown.at(0)).toEqual([1, undefined]);
  expect(shown.at(-1)).toEqual([1000, undefined]);
});

test('another note is always passed on, and so is the progress of another span', () => {
  const { events, seen } = eventsAt();
  const [one, other] = [events.span('stage', 'one'), events.span('stage', 'other')];
  one.progress(1, undefined, 'items', 'a');
  one.progress(2, undefined, 'items', 'b');
  one.progress(3, undefined, 'items', 'b');
  other.progress(4, undefined, 'items');
  expect(told(seen)).toEqual([
    [1, 'a'],
    [2, 'b'],
    [4, undefined],
  ]);
});

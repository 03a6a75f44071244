import { formatSize } from '../base/types.ts';
import type { LabPlan, MemberPlan, Resize } from '../lab/plan.ts';
import type { RemoteLabPlan } from '../lab/remote/plan.ts';
import { formatForward } from '../platforms/local/forwards.ts';
import { styled } from './table.ts';
import type { RenderOptions } from './operation.ts';

/** A member's changes as words, in the order in which they are made. */
export function changeWords(plan: MemberPlan): string[] {
  const { create, remove, renew, resize, restart, start, forwards, hosts, files, scripts } = plan;
  return [
    ...(remove !== undefined ? [`made anew: ${renew.join('; ')}`] : create ? ['created'] : []),
    ...(!create && renew.length > 0 ? [`needs a new VM (${renew.join('; ')}): only with --replace`] : []),
    ...(resize === undefined ? [] : [resizeWords(resize)]),
    ...(restart ? ['restarted'] : start ? ['started'] : []),
    ...forwards.remove.map((each) => `forward ${formatForward(each)} taken away`),
    ...forwards.add.map((each) => `forward ${formatForward(each)} added`),
    ...(hosts ? ['told the names of the lab'] : []),
    ...files.map(({ copy, to }) => `${copy} copied to ${to}`),
    ...scripts.map(({ label, always }) => `${label} run${always ? ' (always)' : ''}`),
  ];
}

function resizeWords({ cpus, memory, disk }: Resize): string {
  return [
    ...(cpus === undefined ? [] : [`${cpus.from} -> ${cpus.to} processors`]),
    ...(memory === undefined ? [] : [`memory ${formatSize(memory.from)} -> ${formatSize(memory.to)}`]),
    ...(disk === undefined ? [] : [`disk ${formatSize(disk.from)} -> ${formatSize(disk.to)}`]),
  ].join(', ');
}

/** One line for each member that changes: + made, ~ changed, - deleted, ! left as it is although the file says otherwise. */
export interface DiffLine {
  readonly mark: '+' | '~' | '-' | '!';
  readonly member: string;
  readonly changes: readonly string[];
}

/** What `lab up` would do, by member. Pure. */
export function diffLines({ gone, members }: LabPlan): DiffLine[] {
  const lines = members.flatMap((plan): DiffLine[] => {
    const changes = changeWords(plan);
    const only = !plan.create && plan.renew.length > 0 && changes.length === 1;
    return changes.length === 0 ? [] : [{ mark: plan.create && plan.remove === undefined ? '+' : only ? '!' : '~', member: plan.member.name, changes }];
  });
  return [...lines, ...gone.map(({ name }): DiffLine => ({ mark: '-', member: name, changes: ['deleted with its disk: the file does not have it'] }))];
}

/** {@link diffLines} of a lab on a target. Pure. */
export function remoteDiffLines({ gone, members }: RemoteLabPlan): DiffLine[] {
  const lines = members.flatMap(({ member, create, remove, renew, resize, restart, start, files, scripts }): DiffLine[] => {
    const changes = [
      ...(remove ? [`made anew: ${renew.join('; ')}`] : create ? ['created'] : []),
      ...(!create && renew.length > 0 ? [`needs a new VM (${renew.join('; ')}): only with --replace`] : []),
      ...(resize === undefined ? [] : [resizeWords(resize)]),
      ...(restart ? ['restarted'] : start ? ['started'] : []),
      ...files.map(({ copy, to }) => `${copy} copied to ${to}`),
      ...scripts.map(({ label, always }) => `${label} run${always ? ' (always)' : ''}`),
    ];
    const only = !create && renew.length > 0 && changes.length === 1;
    return changes.length === 0 ? [] : [{ mark: create && !remove ? '+' : only ? '!' : '~', member: member.name, changes }];
  });
  return [...lines, ...gone.map(({ name }): DiffLine => ({ mark: '-', member: name, changes: ['deleted with its disk: the file does not have it'] }))];
}

const STYLES = { '+': 'green', '~': 'yellow', '-': 'red', '!': 'yellow' } as const;

/** The lines of a diff as text. */
export function diffText(lines: readonly DiffLine[], options: Pick<RenderOptions, 'color'>): string {
  const width = Math.max(...lines.map(({ member }) => member.length));
  return lines
    .flatMap(({ mark, member, changes }) =>
      changes.map((change, index) => styled(`${index === 0 ? `${mark} ${member.padEnd(width)}` : ' '.repeat(width + 2)}  ${change}`, STYLES[mark], options)),
    )
    .join('\n');
}

import type { Architecture } from '../../../catalog/cloud-image-schema.ts';
import type { AnswerKind } from '../answers/answers.ts';

/** What an installation goes through, in this order; each installer's own words say where it is. */
export const STAGES = ['firmware', 'kernel', 'answers', 'partitioning', 'packages', 'finishing'] as const;
export type Stage = (typeof STAGES)[number];

/** Stages by their names, as progress shows them. */
export const STAGE_NAMES: Readonly<Record<Stage, string>> = {
  firmware: 'firmware',
  kernel: 'kernel',
  answers: 'answer file fetched',
  partitioning: 'partitioning',
  packages: 'packages',
  finishing: 'finishing',
};

/** Stages in words, as in "while it was …". */
export const STAGE_TEXTS: Readonly<Record<Stage, string>> = {
  firmware: 'starting the kernel',
  kernel: 'starting the installer, which has not fetched its answer file',
  answers: 'reading its answer file',
  partitioning: 'partitioning the disk',
  packages: 'installing packages',
  finishing: 'finishing',
};

/** Where a kernel and its initrd are on a medium. */
export interface BootFiles {
  readonly kernel: string;
  readonly initrd: string;
}

/** Words of a console by which a failure is known that the installer would not tell in another way. */
export interface FailureWords {
  readonly pattern: RegExp;
  readonly code: 'subscription-refused' | 'install-no-space' | 'answers-refused' | 'install-failed';
  readonly message: string;
  readonly hint?: string;
}

/** What has to be known of one installer to run it: data alone. */
export interface InstallerKind {
  readonly kind: AnswerKind;
  /** What a user's own answer file is called when it is served. */
  readonly answerName: string;
  /** Where its media have kernel and initrd; the first that is there is taken. */
  readonly media: Readonly<Record<Architecture, readonly BootFiles[]>>;
  /** Bytes of memory that the installer needs. */
  readonly memory: number;
  /** Arguments that its medium's own boot menu gives the kernel; `repository` is where the release's packages are, where the catalog knows it. */
  arguments(medium: { readonly label: string | undefined; readonly repository: string | undefined }): readonly string[];
  /** The first words of a stage on the console. */
  readonly stages: readonly { readonly stage: Stage; readonly pattern: RegExp }[];
  /** The last words of a console that waits for somebody. */
  readonly prompts: readonly RegExp[];
  readonly failures: readonly FailureWords[];
}

/** The name of a volume, as it is written in the arguments of a kernel. */
export function argumentLabel(label: string): string {
  return label.replaceAll(' ', String.raw`\x20`);
}

import type { Event } from '../base/events.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Context } from '../operations/operation.ts';
import type { Plan } from '../plan/plan.ts';
import type { Archives } from '../sources/bootstrap/mirrors.ts';
import type { GateStatement, Image } from '../store/model.ts';
import type { PlaceKind } from '../workspace/place.ts';
import type { ImageGate } from './image-gate.ts';
import type { LayerOutcome } from './layer.ts';

/** One image to be built. */
export interface ImageBuild {
  readonly plan: Plan;
  readonly archives: Archives;
  /** The user's immutable tag; without it, date and short digest. */
  readonly tag: string | undefined;
  readonly gate: ImageGate;
  /** The command that builds the same and opens a shell where it fails. */
  readonly shellCommand: string;
  /** Stops this image alone. */
  readonly signal?: AbortSignal;
  /** Called with the image when its tags have moved, to write its outputs. What it throws is the image's failure. */
  readonly finish?: (context: Context, image: Image) => Promise<void>;
}

/** How long layers and gates took before on this host. */
export interface BuildTimes {
  /** Seconds; undefined where nothing is known of it. */
  seconds(kind: string, name: string): number | undefined;
  learn(kind: string, name: string, seconds: number): void;
}

/** What a caller hears of the images, by their position. Where all is cached, it hears only results. */
export interface BuildObserver {
  /** Before work begins, with the images that need some; what it throws ends the build. */
  onWork?(images: readonly number[]): Promise<void>;
  onStart?(image: number): void;
  onEvent?(image: number, event: Event): void;
  onResult?(image: number, result: ImageResult): void;
}

export interface BuildOptions {
  /** How many layers and gates at the same time at most; default: as many as there are processors. */
  readonly jobs?: number | undefined;
  readonly offline: boolean;
  readonly debugShell: boolean;
  readonly secrets: Secrets;
  /** Where disks are opened; undefined for what the host can do. */
  readonly workspace?: PlaceKind | undefined;
  /** Called once for each architecture before its first layer is made: what a build needs of the host is asked for only then. */
  readonly beforeWork: (arch: string, place: PlaceKind) => Promise<void>;
  readonly times: BuildTimes;
  readonly observer?: BuildObserver;
}

export interface LayerResult extends LayerOutcome {
  readonly name: string;
}

/** An image with its tags, and how it came to be. */
export interface FinishedImage {
  readonly image: Image;
  readonly layers: readonly LayerResult[];
  readonly gate: GateStatement;
  readonly tag: string;
}

/** What became of one image; `seconds` since the build began. */
export type ImageResult = { readonly seconds: number } & (
  | ({ readonly status: 'built' } & FinishedImage)
  /** No layer had to be made. */
  | ({ readonly status: 'cached' } & FinishedImage)
  /** With the image where it was made, but did not pass its gate: it has no tag then. */
  | { readonly status: 'failed'; readonly error: unknown; readonly image?: Image }
  /** Not built since a layer that it shares failed, or since it was stopped. */
  | { readonly status: 'skipped'; readonly why: string; readonly stopped: boolean }
);

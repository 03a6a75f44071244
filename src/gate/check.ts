/**
 * One thing that a golden image must be. The script is POSIX sh, runs as root, and prints one line for each fault that it
 * finds; printing nothing is passing. `disk` checks run on the closed image, opened on a throw-away overlay, before it
 * has ever started (`/` is the image); `guest` checks run inside the booted guest.
 */
export interface GateCheck {
  readonly name: string;
  /** What holds where it passes, as a sentence. */
  readonly holds: string;
  readonly where: 'disk' | 'guest';
  readonly script: string;
}

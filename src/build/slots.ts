import { toIngotError } from '../base/errors.ts';
import { makeScratch } from '../base/scratch.ts';
import type { Context } from '../operations/operation.ts';
import { openPlace, type Place, type PlaceKind } from '../workspace/place.ts';

type Open<P> = (context: Context, kind: PlaceKind, stack: AsyncDisposableStack) => Promise<P>;

interface OpenedPlace<P> {
  readonly place: Promise<P>;
  readonly stack: AsyncDisposableStack;
}

/**
 * The places in which layers are made, one for each of the scheduler's slots: opened when the first layer there asks for it, and kept for
 * the layers that follow, so that a chain of layers starts one helper and not one for each.
 */
export class SlotPlaces<P = Place> implements AsyncDisposable {
  readonly #context: Context;
  readonly #kind: PlaceKind;
  readonly #open: Open<P>;
  readonly #slots = new Map<number, OpenedPlace<P>>();

  /** The context's signal ends the places, not only one of the layers that are made there. */
  constructor(context: Context, kind: PlaceKind, open: Open<P>) {
    this.#context = context;
    this.#kind = kind;
    this.#open = open;
  }

  /** The place of a slot. Throws what {@link openPlace} throws; the next call tries again. */
  async get(slot: number): Promise<P> {
    const known = this.#slots.get(slot);
    if (known !== undefined) return await known.place;
    const stack = new AsyncDisposableStack();
    const opened = { place: this.#open(this.#context, this.#kind, stack), stack };
    this.#slots.set(slot, opened);
    try {
      return await opened.place;
    } catch (error) {
      await this.drop(slot);
      throw error;
    }
  }

  /** Closes a slot's place, after work in it failed: it may be lost, and the next layer gets a new one. Never throws. */
  async drop(slot: number): Promise<void> {
    const opened = this.#slots.get(slot);
    if (opened === undefined) return;
    this.#slots.delete(slot);
    try {
      await opened.stack.disposeAsync();
    } catch (error) {
      this.#context.events.message('warn', `Closing a workspace failed: ${toIngotError(error).message}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#slots.keys()].map((slot) => this.drop(slot)));
  }
}

/** Opens places with a scratch folder of their own; `offline` makes a helper VM of what has been downloaded before. */
export function openWithScratch(offline: boolean): Open<Place> {
  return async (context, kind, stack) => {
    const scratch = stack.use(await makeScratch(context.host, context.home, 'a workspace'));
    return stack.use(await openPlace(context, { kind, scratch: scratch.path, offline }));
  };
}

import type { LabContext } from '../../platforms/local/view.ts';
import { saveLab, type RemoteLabMember, type RemoteLabState } from '../state.ts';

/** What is kept of a lab on a target while it is worked on: each change is on the disk before the work goes on. Only under the lock of the lab. */
export class RemoteRecord {
  readonly #context: Pick<LabContext, 'host' | 'home'>;
  #state: RemoteLabState;
  /** Members change at the same time, and are written one after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(context: Pick<LabContext, 'host' | 'home'>, state: RemoteLabState) {
    this.#context = context;
    this.#state = state;
  }

  get state(): RemoteLabState {
    return this.#state;
  }

  member(name: string): RemoteLabMember | undefined {
    return this.#state.members.find((one) => one.name === name);
  }

  async change(edit: (state: RemoteLabState) => RemoteLabState): Promise<void> {
    this.#state = edit(this.#state);
    const { host, home } = this.#context;
    const state = this.#state;
    this.#writing = this.#writing.then(() => saveLab(host, home, state));
    await this.#writing;
  }

  async changeMember(name: string, edit: (member: RemoteLabMember) => RemoteLabMember): Promise<void> {
    await this.change((state) => ({ ...state, members: state.members.map((one) => (one.name === name ? edit(one) : one)) }));
  }
}

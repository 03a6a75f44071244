/** Answers that are worked out once for each key, also where they are asked for at the same time. A failure is an answer too. */
export class Memo<T> {
  readonly #answers = new Map<string, Promise<T>>();

  get(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = work();
    this.#answers.set(key, answer);
    return answer;
  }
}

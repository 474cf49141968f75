/**
 * Tells of what may happen a million times a second: the first at once, then at most once a second how often it was.
 */
export class Tally {
  /** How often it happened in all. */
  total = 0;
  #told = 0;
  #latest = "";
  #timer: NodeJS.Timeout | undefined;
  readonly #say: (count: number, latest: string) => void;

  /** @param say Gets how often it happened since it was last called, and whose the latest was. */
  constructor(say: (count: number, latest: string) => void) {
    this.#say = say;
  }

  add(whose: string): void {
    this.total++;
    this.#latest = whose;
    if (!this.#timer) this.#tell();
  }

  /** Tells what has not been told yet. */
  end(): void {
    clearTimeout(this.#timer);
    this.#tell();
    clearTimeout(this.#timer);
  }

  readonly #tell = () => {
    const count = this.total - this.#told;
    this.#told = this.total;
    this.#timer = count > 0 ? setTimeout(this.#tell, 1_000).unref() : undefined;
    if (count > 0) this.#say(count, this.#latest);
  };
}

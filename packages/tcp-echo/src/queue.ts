/** First in, first out, in a ring that grows: `Array.shift` of a long array would copy it, a list node a request is garbage. */
export class Queue<T> {
  size = 0;
  #items: (T | undefined)[] = new Array(16).fill(undefined);
  #head = 0;

  /** Adds at the end. */
  push(item: T): void {
    if (this.size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.size++) & (this.#items.length - 1)] = item;
  }

  /** Takes the first; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.size--;
    return item;
  }

  /** The first; `undefined` when there is none. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.size; index++) {
      const item = this.#items[(this.#head + index) & (this.#items.length - 1)];
      if (item !== undefined) yield item;
    }
  }

  /** Twice the room: a power of two, so that the place of an item is a mask away. */
  #grow() {
    const { length } = this.#items;
    const inOrder = [...this.#items.slice(this.#head), ...this.#items.slice(0, this.#head)];
    this.#items = inOrder.concat(new Array(length).fill(undefined));
    this.#head = 0;
  }
}

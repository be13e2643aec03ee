// What the records of a plan point to: strings and data one behind the other, and the numbers of the slots.

import { latin1Of, type Slot, TREE_SLOT, UnsupportedError } from '@tsnspawn/core';

const MAX_SLOTS = 256;

/** All strings are gathered in one, which becomes bytes in one call. */
export class Heap {
  readonly #start: number;
  /** each character a byte */
  #bytes = '';
  readonly #slots: Map<Slot, number>;

  /**
   * @param start offset of the heap in the plan
   * @param handed the slots that the launcher fills
   */
  constructor(start: number, handed: readonly Slot[]) {
    this.#start = start;
    this.#slots = new Map([TREE_SLOT, ...handed].map((name, index) => [name, index]));
  }

  get bytes(): string {
    return this.#bytes;
  }

  /** The number of a slot; a name that is new gets the next. @throws UnsupportedError when there are none left */
  slot(name: Slot): number {
    let index = this.#slots.get(name);
    if (index === undefined) {
      index = this.#slots.size;
      if (index >= MAX_SLOTS)
        throw new UnsupportedError(`more mounts are asked for than the ${MAX_SLOTS} that one launch can hold`);
      this.#slots.set(name, index);
    }
    return index;
  }

  /** A string with a zero at its end. */
  text(text: string): number {
    return this.append(`${latin1Of(text)}\0`);
  }

  /** Strings one after the other; the runner counts the zeros. */
  list(items: readonly string[]): number {
    const at = this.append('');
    for (const item of items) this.text(item);
    return at;
  }

  append(bytes: string): number {
    const at = this.#start + this.#bytes.length;
    this.#bytes += bytes;
    return at;
  }
}

/** A piece that is cut out of a text is kept as a place in it, and holds all of that text as long as it lives. Here it gets a text of its own. */

/** The same text, which holds no other. */
export function ownText(text: string): string {
  const copy = Buffer.from(text, "latin1").toString("latin1");
  return copy === text ? copy : text;
}

/** One for all that are equal. */
export class OwnTexts {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const own = ownText(text);
    this.#known.set(own, own);
    return own;
  }
}

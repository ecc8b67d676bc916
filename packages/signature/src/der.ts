/** DER as the certificates and signatures of modules have it: elements within elements, each with its bounds checked. */

export interface Element {
  /** Class, constructed bit and number in one byte. */
  tag: number;
  content: Uint8Array;
  /** With its tag and length. */
  whole: Uint8Array;
}

export const TAG = { integer: 0x02, bitString: 0x03, octets: 0x04, oid: 0x06, sequence: 0x30, set: 0x31 } as const;
/** The tag of a context-specific element: [n] that holds elements, or [n] in place of another tag. */
export const context = (n: number, constructed = true): number => 0x80 + n + (constructed ? 0x20 : 0);

/** What is not DER. Never leaves this package. */
export class NotDer extends Error {}

/** All elements in a row. @throws NotDer */
export function elementsIn(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  let at = 0;
  while (at < bytes.length) {
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The one element that the bytes are. */
export function elementOf(bytes: Uint8Array): Element {
  const element = elementAt(bytes, 0);
  if (element.whole.length !== bytes.length) throw new NotDer(`${bytes.length - element.whole.length} bytes follow it`);
  return element;
}

function elementAt(bytes: Uint8Array, start: number): Element {
  const next = (at: number): number => {
    const byte = bytes[at];
    if (byte === undefined) throw new NotDer("it ends too early");
    return byte;
  };
  const tag = next(start);
  if ((tag & 0x1f) === 0x1f) throw new NotDer("it has a tag of several bytes");
  let at = start + 2;
  let length = next(start + 1);
  if (length >= 0x80) {
    const digits = length - 0x80;
    if (digits === 0 || digits > 4) throw new NotDer("it has a length of no definite form");
    length = 0;
    for (let i = 0; i < digits; i++) length = length * 256 + next(at++);
  }
  if (length > bytes.length - at) throw new NotDer("an element is longer than what holds it");
  return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) };
}

/** The elements of one that holds others. @throws NotDer if it is of another tag */
export function within(element: Element | undefined, tag: number): Element[] {
  return elementsIn(contentOf(element, tag));
}

export function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new NotDer(`an element has the tag ${element?.tag ?? "of none"}, not ${tag}`);
  return element.content;
}

/** In dots. */
export function oidOf(element: Element | undefined): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of contentOf(element, TAG.oid)) {
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw new NotDer("an object identifier is too large");
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      numbers.push(first, value - first * 40);
    } else numbers.push(value);
    value = 0;
  }
  return numbers.join(".");
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "1.2.840.113549.1.9.1": "emailAddress",
};
const BMP_STRING = 0x1e;
const UTF8_STRING = 0x0c;

/** A distinguished name as `CN=…, O=…`, in its own order. */
export function nameOf(element: Element | undefined): string {
  return within(element, TAG.sequence)
    .flatMap((set) => within(set, TAG.set))
    .map((pair) => {
      const [type, value] = within(pair, TAG.sequence);
      if (value === undefined) throw new NotDer("a name has no value");
      const oid = oidOf(type);
      return `${NAMES[oid] ?? oid}=${textOf(value)}`;
    })
    .join(", ");
}

function textOf({ tag, content }: Element): string {
  const bytes = Buffer.from(content);
  if (tag === BMP_STRING && bytes.length % 2 === 0) return bytes.swap16().toString("utf16le");
  return bytes.toString(tag === UTF8_STRING ? "utf8" : "latin1");
}

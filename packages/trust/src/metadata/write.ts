/** Metadata → the bytes of their file. */
export interface Signature {
  keyid: string;
  sig: string;
}

/** What is signed are the canonical bytes of `signed`; the file is for people to read as well. */
export function metadataFile(signed: object, signatures: readonly Signature[]): Buffer {
  return Buffer.from(`${JSON.stringify({ signatures, signed }, undefined, 1)}\n`);
}

/** UTC, to the second. */
export function instantOf(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

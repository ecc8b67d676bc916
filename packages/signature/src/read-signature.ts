/** Who signed a module, as its signature says it. Whether that is true is for the kernel to find out, which has the keys. */
import { contentOf, context, type Element, elementOf, hexOf, NotDer, nameOf, oidOf, TAG, within } from "./der.ts";
import { fail } from "./errors.ts";
import { split } from "./trailer.ts";

/** A key is named in one of two ways. */
export interface Signer {
  /** The subject key identifier of its certificate, in hex. */
  keyId?: string;
  /** Who issued its certificate, and the certificate's number, in hex. */
  issuer?: string;
  serial?: string;
  /** "sha256" and such; a dotted number where it is none that is known here. */
  hash: string;
  /** "rsa" or "ecdsa"; as above. */
  algorithm: string;
}

export interface Signature {
  signers: Signer[];
}

const SIGNED_DATA = "1.2.840.113549.1.7.2";
const KINDS: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
  "1.2.840.113549.1.1.1": "rsa",
  "1.2.840.113549.1.1.11": "rsa",
  "1.2.840.113549.1.1.12": "rsa",
  "1.2.840.113549.1.1.13": "rsa",
  "1.2.840.10045.4.1": "ecdsa",
  "1.2.840.10045.4.3.1": "ecdsa",
  "1.2.840.10045.4.3.2": "ecdsa",
  "1.2.840.10045.4.3.3": "ecdsa",
  "1.2.840.10045.4.3.4": "ecdsa",
};

/** @returns undefined for a module that is not signed. @throws SIGN_DAMAGED */
export function readSignature(bytes: Uint8Array, file: string): Signature | undefined {
  const { contents, message } = split(bytes, file);
  if (message === undefined) return undefined;
  try {
    const signers = signersOf(message);
    if (signers.length === 0) throw new NotDer("nobody has signed");
    return { signers };
  } catch (error) {
    if (!(error instanceof NotDer)) throw error;
    throw fail("SIGN_DAMAGED", `its signature cannot be read: ${error.message}`, { file, offset: contents.length }, { cause: error });
  }
}

function signersOf(message: Uint8Array): Signer[] {
  const [type, data] = within(elementOf(message), TAG.sequence);
  if (oidOf(type) !== SIGNED_DATA) throw new NotDer(`it is of the type ${oidOf(type)}`);
  const [signedData] = within(data, context(0));
  // version, hashes, contents, certificates and revocations that may be left out, signers
  return within(within(signedData, TAG.sequence).at(-1), TAG.set).map(signerOf);
}

function signerOf(info: Element): Signer {
  const [, by, hash, ...rest] = within(info, TAG.sequence);
  const [algorithm] = rest[0]?.tag === context(0) ? rest.slice(1) : rest;
  return { ...whoOf(by), hash: kindOf(hash), algorithm: kindOf(algorithm) };
}

function whoOf(by: Element | undefined): Pick<Signer, "keyId" | "issuer" | "serial"> {
  if (by?.tag === context(0, false)) return { keyId: hexOf(by.content) };
  const [issuer, serial] = within(by, TAG.sequence);
  return { issuer: nameOf(issuer), serial: hexOf(contentOf(serial, TAG.integer)) };
}

function kindOf(algorithm: Element | undefined): string {
  const oid = oidOf(within(algorithm, TAG.sequence)[0]);
  return KINDS[oid] ?? oid;
}

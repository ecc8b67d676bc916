/** Who signed a module, in words. */
import type { Signer } from "@suture/signature";

export function signerText({ keyId, issuer, serial, hash, algorithm }: Signer): string {
  const who = keyId === undefined ? `the key of certificate ${serial} of ${issuer}` : `the key ${keyId}`;
  return `by ${who}; ${algorithm}, ${hash}`;
}

export { signatureErrors } from "./errors.ts";
export { readSignature, type Signature, type Signer } from "./read-signature.ts";
export { HASHES, type Hash, isLocked, type Signed, type SignOptions, signModule } from "./sign.ts";

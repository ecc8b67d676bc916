import { defineErrors } from "@suture/errors";

export const signatureErrors = defineErrors({
  SIGN_DAMAGED: {
    cause: "A module ends with the mark of a signature, and what stands before the mark is none that the kernel reads.",
    mend: "Take the module as it was built. `suture sign --replace` refuses as well: where the module ends is not known.",
  },
  SIGN_SIGNED: {
    cause: "The module to be signed has a signature already.",
    mend: "Give --replace: the old signature goes. The kernel reads one only, the last.",
  },
  SIGN_KEY: {
    cause: "The private key cannot be read or used.",
    mend: "Give a private key in PEM, RSA or elliptic curve, or a PKCS#11 URI (`pkcs11:...`; Debian's package libengine-pkcs11-openssl).",
  },
  SIGN_PASSPHRASE: {
    cause: "The private key is locked by a passphrase, and there was none, or another one.",
    mend: "Run the command at a terminal, which asks for it, or give --passphrase-file FILE, whose first line is the passphrase.",
  },
  SIGN_CERT: {
    cause: "The certificate cannot be read, or may not be used for signatures of code.",
    mend: "Give the key's X.509 certificate, in PEM or DER, with the key usage digitalSignature and, where it names purposes, codeSigning.",
  },
  SIGN_KEY_CERT: {
    cause: "The private key is not the one of the certificate.",
    mend: "Give the certificate that was made of this key.",
  },
  SIGN_UNVERIFIED: {
    cause: "The signature that was just made does not verify.",
    mend: "Nothing was written. The key's device, or openssl, is at fault: see whether `openssl cms` signs and verifies a file with that key.",
  },
});

export const fail = signatureErrors.fail;

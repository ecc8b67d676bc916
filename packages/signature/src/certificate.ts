/** The certificate of a key that signs modules: what it says, and whether it may. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { contentOf, context, elementOf, elementsIn, hexOf, NotDer, nameOf, oidOf, TAG, within } from "./der.ts";
import { fail } from "./errors.ts";

export interface Certificate {
  x509: X509Certificate;
  subject: string;
  issuer: string;
  serial: string;
  /** Subject key identifier, in hex. */
  keyId: string | undefined;
  /** "rsa" or "ec". */
  keyType: string;
}

const EXTENSION = { keyId: "2.5.29.14", usage: "2.5.29.15", purposes: "2.5.29.37" };
/** anyExtendedKeyUsage, codeSigning, and the one that says "modules of the kernel only". */
const PURPOSES = ["2.5.29.37.0", "1.3.6.1.5.5.7.3.3", "1.3.6.1.4.1.2312.16.1.2"];
const DIGITAL_SIGNATURE = 0x80;
/** Those that kernels verify. */
const KEY_TYPES = ["rsa", "ec"];

/** @throws SIGN_CERT */
export async function readCertificate(file: string): Promise<Certificate> {
  const wrong = (why: string, cause?: unknown): Error => fail("SIGN_CERT", why, { file }, { cause });
  let certificate: Certificate & { extensions: Map<string, Uint8Array> };
  try {
    certificate = fieldsOf(new X509Certificate(await readFile(file)));
  } catch (error) {
    throw wrong(`it is no certificate that can be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const { extensions, ...rest } = certificate;
  try {
    const usage = extensions.get(EXTENSION.usage);
    // Its first byte counts bits that are not used.
    if (usage !== undefined && ((contentOf(elementOf(usage), TAG.bitString)[1] ?? 0) & DIGITAL_SIGNATURE) === 0)
      throw wrong("its key usage does not have digitalSignature");
    const purposes = extensions.get(EXTENSION.purposes);
    const named = purposes === undefined ? undefined : within(elementOf(purposes), TAG.sequence).map(oidOf);
    if (named !== undefined && !named.some((oid) => PURPOSES.includes(oid)))
      throw wrong(`its purposes are ${named.join(", ")}: codeSigning is not among them`);
  } catch (error) {
    if (error instanceof NotDer) throw wrong(`its extensions cannot be read: ${error.message}`, error);
    throw error;
  }
  if (!KEY_TYPES.includes(rest.keyType))
    throw wrong(`its key is of the type ${rest.keyType}; kernels verify ${KEY_TYPES.join(" and ")} keys`);
  return rest;
}

function fieldsOf(x509: X509Certificate): Certificate & { extensions: Map<string, Uint8Array> } {
  const [body] = within(elementOf(x509.raw), TAG.sequence);
  const fields = within(body, TAG.sequence);
  const [serial, , issuer, , subject] = fields[0]?.tag === context(0) ? fields.slice(1) : fields;
  const extensions = new Map(
    fields
      .filter(({ tag }) => tag === context(3))
      .flatMap((all) => within(elementsIn(all.content)[0], TAG.sequence))
      .map((extension) => {
        const parts = within(extension, TAG.sequence);
        return [oidOf(parts[0]), contentOf(parts.at(-1), TAG.octets)] as const;
      }),
  );
  const keyId = extensions.get(EXTENSION.keyId);
  return {
    x509,
    subject: nameOf(subject),
    issuer: nameOf(issuer),
    serial: hexOf(contentOf(serial, TAG.integer)),
    keyId: keyId === undefined ? undefined : hexOf(contentOf(elementOf(keyId), TAG.octets)),
    keyType: x509.publicKey.asymmetricKeyType ?? "unknown",
    extensions,
  };
}

/** What is to be known of it, and keeps nobody from signing. */
export function notesOn({ x509, keyId, keyType }: Certificate, hash: string): string[] {
  const now = Date.now();
  const notes: string[] = [];
  if (Date.parse(x509.validTo) < now)
    notes.push(`the certificate expired on ${x509.validTo}: the kernel does not look at that, others may`);
  if (Date.parse(x509.validFrom) > now) notes.push(`the certificate is valid from ${x509.validFrom} on: firmware may refuse it`);
  if (keyId === undefined)
    notes.push("the certificate has no subject key identifier: the signature names the key by issuer and number instead");
  if (keyType === "ec") notes.push("the key is one of an elliptic curve: kernels without CONFIG_CRYPTO_ECDSA do not verify it");
  if (hash !== "sha256") notes.push(`the hash is ${hash}: kernels in which that is a module may not verify it`);
  return notes;
}

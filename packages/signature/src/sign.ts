/** A module signed as the kernel's scripts/sign-file does it, by openssl, which alone sees the private key. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join as joinPath } from "node:path";
import { run, scratchFolder, type Task } from "@suture/task";
import { type Certificate, notesOn, readCertificate } from "./certificate.ts";
import { fail } from "./errors.ts";
import { readSignature, type Signer } from "./read-signature.ts";
import { join, split } from "./trailer.ts";

/** The first unless another is asked for: every kernel that verifies signatures of modules has it built in. */
export const HASHES = ["sha256", "sha384", "sha512"] as const;
export type Hash = (typeof HASHES)[number];

export interface SignOptions {
  /** A PEM file, or a PKCS#11 URI. */
  key: string;
  /** A PEM or DER file. */
  cert: string;
  /** Of the key, or the PIN of its device. */
  passphrase?: string | undefined;
  hash: Hash;
  /** An older signature goes. */
  replace: boolean;
}

export interface Signed {
  bytes: Buffer;
  signer: Signer;
  subject: string;
  /** Whether there was another signature. */
  replaced: boolean;
  notes: string[];
}

const isDevice = (key: string): boolean => key.startsWith("pkcs11:");

/** Whether a key cannot be used without a passphrase. @throws SIGN_KEY */
export async function isLocked(key: string): Promise<boolean> {
  if (isDevice(key)) return !/[;?&]pin-(value|source)=/.test(key);
  try {
    return /^(?:-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(await readFile(key, "latin1"));
  } catch (error) {
    throw fail("SIGN_KEY", error instanceof Error ? error.message : String(error), { file: key }, { cause: error });
  }
}

/** @param bytes of a module. @throws SIGN_*, COMMAND_MISSING */
export async function signModule(task: Task, bytes: Uint8Array, file: string, options: SignOptions): Promise<Signed> {
  const { contents, message: older } = split(bytes, file);
  if (older !== undefined && !options.replace) throw fail("SIGN_SIGNED", "it is signed already", { file });
  // In a command line, all users of the machine can read it.
  if (/[;?&]pin-value=/.test(options.key))
    throw fail("SIGN_KEY", "the PIN stands in the key's URI", {}, { mend: "Give the PIN as a passphrase." });
  const certificate = await readCertificate(options.cert);
  const folder = await scratchFolder("sign");
  try {
    const [module, cert, message] = ["module", "cert.pem", "message"].map((name) => joinPath(folder, name)) as [string, string, string];
    await writeFile(module, contents);
    await writeFile(cert, certificate.x509.toString());
    await checkKey(task, options, certificate);
    await makeMessage(task, options, certificate, { module, cert, message });
    const signed = join(contents, await readFile(message));
    await verify(task, certificate, { module, cert, message });
    const [signer] = readSignature(signed, file)?.signers ?? [];
    if (signer === undefined || signer.hash !== options.hash || signer.keyId !== certificate.keyId)
      throw fail("SIGN_UNVERIFIED", `its signature does not say what was asked for: ${JSON.stringify(signer)}`, { file });
    return {
      bytes: signed,
      signer,
      subject: certificate.subject,
      replaced: older !== undefined,
      notes: notesOn(certificate, options.hash),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Files {
  module: string;
  cert: string;
  message: string;
}

/** openssl is given the passphrase on its standard input, and asks nobody. */
async function openssl(
  task: Task,
  words: readonly string[],
  passphrase?: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const given = passphrase === undefined ? {} : { input: `${passphrase}\n` };
  return run(task, ["openssl", ...words, ...(passphrase === undefined ? [] : ["-passin", "stdin"])], { ...given, accept: [1, 2] });
}

async function checkKey(task: Task, { key, passphrase }: SignOptions, certificate: Certificate): Promise<void> {
  const where = isDevice(key) ? {} : { file: key };
  if (passphrase === undefined && !isDevice(key) && (await isLocked(key))) throw fail("SIGN_PASSPHRASE", "there is no passphrase", where);
  const form = isDevice(key) ? ["-engine", "pkcs11", "-inform", "engine"] : [];
  const { code, stdout, stderr } = await openssl(task, ["pkey", ...form, "-in", key, "-pubout"], passphrase);
  if (code !== 0) {
    const why = lastLines(stderr);
    if (/bad decrypt|maybe wrong password|pkcs12 cipherfinal|PIN (?:is )?incorrect|CKR_PIN/i.test(stderr))
      throw fail("SIGN_PASSPHRASE", `the passphrase does not open it: ${why}`, where);
    throw fail("SIGN_KEY", `openssl cannot read it: ${why}`, where);
  }
  if (stdout.trim() !== certificate.x509.publicKey.export({ type: "spki", format: "pem" }).toString().trim())
    throw fail("SIGN_KEY_CERT", `it is not the key of ${certificate.subject}`, where);
}

/** No certificate, no attributes: the kernel has the key, and takes the hash of the contents alone. */
async function makeMessage(task: Task, options: SignOptions, { keyId }: Certificate, { module, cert, message }: Files): Promise<void> {
  const { key, hash, passphrase } = options;
  const { code, stderr } = await openssl(
    task,
    [
      ...["cms", "-sign", "-binary", "-nocerts", "-noattr", "-nosmimecap", "-md", hash],
      ...(keyId === undefined ? [] : ["-keyid"]),
      ...["-signer", cert, "-inkey", key, ...(isDevice(key) ? ["-engine", "pkcs11", "-keyform", "engine"] : [])],
      ...["-in", module, "-outform", "DER", "-out", message],
    ],
    passphrase,
  );
  if (code !== 0) throw fail("SIGN_KEY", `openssl cannot sign with it: ${lastLines(stderr)}`, isDevice(key) ? {} : { file: key });
}

async function verify(task: Task, { subject }: Certificate, { module, cert, message }: Files): Promise<void> {
  const { code, stderr } = await openssl(task, [
    ...["cms", "-verify", "-binary", "-noverify", "-nointern", "-certfile", cert],
    ...["-inform", "DER", "-in", message, "-content", module, "-out", "/dev/null"],
  ]);
  if (code !== 0) throw fail("SIGN_UNVERIFIED", `with the key of ${subject}: ${lastLines(stderr)}`);
}

function lastLines(stderr: string): string {
  return stderr.trim().split("\n").slice(-2).join("; ");
}

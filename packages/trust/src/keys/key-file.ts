/**
 * Keys in files: NAME.key is an ed25519 key as PKCS#8, encrypted with a passphrase (scrypt, AES-256), or names one in a token (pkcs11.ts); NAME.pub is the
 * public half, for those who make the repository.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { exists, writeDurably } from "@suture/files";
import { start, type Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { keySchema } from "../metadata/form.ts";
import { openToken, type TokenFile, tokenKey, tokenSchema } from "./pkcs11.ts";
import { idOf, type PublicKey, type Signer } from "./signer.ts";

const publicSchema = v.strictObject({ suture: v.literal(1), name: v.string(), key: keySchema });

export interface NamedKey {
  name: string;
  id: string;
  key: PublicKey;
}

/** Asked for when it is needed: a file that names a token has none. */
export type Passphrase = () => Promise<string>;

/** OpenSSL reads it within its limit of memory for scrypt, 32 MiB; about half a second. */
const SCRYPT = ["-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "2"];
const SHORTEST = 8;

/**
 * Writes FILE.key and FILE.pub.
 * @param file without the ending
 * @throws TRUST_KEY
 */
export async function newKeyFile(task: Task, file: string, passphrase: Passphrase): Promise<NamedKey> {
  await refuseToReplace(file);
  const secret = await passphrase();
  if (secret.length < SHORTEST)
    throw fail("TRUST_KEY", `a passphrase of ${SHORTEST} characters at least is needed`, { file: `${file}.key` });
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = publicPart(publicKey);
  await writeDurably(`${file}.key`, await encrypted(task, privateKey, secret), 0o600);
  return writePublic(file, key);
}

/** For a key that is in a token already. @throws TRUST_KEY */
export async function newTokenFile(task: Task, file: string, token: TokenFile): Promise<NamedKey> {
  await refuseToReplace(file);
  const key = await tokenKey(task, token);
  await writeDurably(`${file}.key`, `${JSON.stringify(token, undefined, 1)}\n`, 0o600);
  return writePublic(file, key);
}

async function refuseToReplace(file: string): Promise<void> {
  for (const path of [`${file}.key`, `${file}.pub`]) if (await exists(path)) throw fail("TRUST_KEY", "it is there already", { file: path });
}

async function writePublic(file: string, key: PublicKey): Promise<NamedKey> {
  const name = basename(file);
  await writeDurably(`${file}.pub`, `${JSON.stringify({ suture: 1, name, key }, undefined, 1)}\n`);
  return { name, id: idOf(key), key };
}

/** The passphrase goes through a pipe of its own: others see the arguments and the environment of a program. */
async function encrypted(task: Task, key: KeyObject, passphrase: string): Promise<string> {
  const child = start(task, ["openssl", "pkcs8", "-topk8", ...SCRYPT, "-passout", "fd:3"], { stdio: ["pipe", "pipe", "pipe", "pipe"] });
  let pem = "";
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    pem += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const pipe = child.stdio[3];
  for (const stream of [pipe, child.stdin]) stream?.on("error", () => {});
  if (pipe !== null && pipe !== undefined && "end" in pipe) pipe.end(`${passphrase}\n`);
  child.stdin?.end(key.export({ type: "pkcs8", format: "pem" }));
  const code = await ended.catch((cause: unknown) => {
    throw fail("TRUST_KEY", `openssl cannot be started: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause });
  });
  task.check();
  if (code !== 0) throw fail("TRUST_KEY", `openssl does not encrypt the key: ${said.trim().slice(0, 300)}`);
  return pem;
}

function publicPart(key: KeyObject): PublicKey {
  const der = key.export({ type: "spki", format: "der" });
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: der.subarray(-32).toString("hex") } };
}

/** @throws TRUST_KEY */
export async function openKeyFile(task: Task, file: string, passphrase: Passphrase): Promise<Signer> {
  const text = await readKeyFile(file);
  if (text.startsWith("{")) {
    const token = v.safeParse(tokenSchema, parsed(text, file));
    if (!token.success) throw fail("TRUST_KEY", "it is no file of a key", { file });
    return openToken(task, token.output);
  }
  const secret = await passphrase();
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, passphrase: secret });
  } catch (cause) {
    throw fail("TRUST_KEY", "the passphrase is not that of this key, or it is no file of a key", { file }, { cause });
  }
  if (key.asymmetricKeyType !== "ed25519")
    throw fail("TRUST_KEY", `it is a key of the kind ${key.asymmetricKeyType}, not ed25519`, { file });
  return newSigner(key);
}

/** @param secret an ed25519 key */
export function newSigner(secret: KeyObject): Signer {
  const key = publicPart(createPublicKey(secret));
  return { id: idOf(key), key, sign: async (_task, bytes) => sign(undefined, bytes, secret).toString("hex") };
}

/** @throws TRUST_KEY */
export async function readPublicKey(file: string): Promise<NamedKey> {
  const found = v.safeParse(publicSchema, parsed(await readKeyFile(file), file));
  if (!found.success) throw fail("TRUST_KEY", "it is no public half of a key (NAME.pub)", { file });
  const { name, key } = found.output;
  return { name, id: idOf(key), key };
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw fail("TRUST_KEY", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  }
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fail("TRUST_KEY", "it is no file of a key", { file }, { cause });
  }
}

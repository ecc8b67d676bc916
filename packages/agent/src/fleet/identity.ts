/** Who this machine is to the fleet's server: a key of its own, made here and never sent, and what the server knows of it. Of the user that fetches. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { makeFolderDurably, writeDurably } from "@suture/files";
import type { Machine } from "@suture/host";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { FETCHED } from "../layout.ts";
import { readPlain } from "../plain-file.ts";

const FOLDER = `${FETCHED}/fleet`;
const KEY = `${FOLDER}/host.key`;
const KNOWN = `${FOLDER}/host.json`;
const LIMIT = 64 * 1024;

const knownSchema = v.strictObject({
  "suture-host": v.literal(1),
  server: v.string(),
  host: v.string(),
  /** Its key, as it was when the server came to know it; older agents did not write it down. */
  publicKey: v.optional(v.string()),
  /** Of the last report; none has the same or a lower one. */
  counter: v.number(),
  /** What the server has acknowledged last, and when. */
  sent: v.nullable(v.strictObject({ digest: v.string(), bootId: v.string(), at: v.string() })),
});
export type Known = v.InferOutput<typeof knownSchema>;

export interface Identity {
  /** Hex of 32 bytes. */
  publicKey: string;
  /** Hex. */
  sign(text: string): string;
}

/** Made at the first time. @throws AGENT_SERVER */
export async function identityOf(machine: Machine): Promise<Identity> {
  const file = machine.path(KEY);
  try {
    const bytes = await readPlain(file, LIMIT);
    const secret = bytes === undefined ? await newKey(machine) : createPrivateKey(bytes);
    const der = createPublicKey(secret).export({ type: "spki", format: "der" });
    return { publicKey: der.subarray(-32).toString("hex"), sign: (text) => sign(undefined, Buffer.from(text), secret).toString("hex") };
  } catch (cause) {
    throw fail("AGENT_SERVER", `its key: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
}

async function newKey(machine: Machine): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync("ed25519");
  await makeFolderDurably(machine.path(FOLDER), 0o700);
  await writeDurably(machine.path(KEY), privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
  return privateKey;
}

/** What cannot be read, or is of a key that was lost, is made anew by enrolling again: with the same key and token the server answers the same. */
export async function knownAs(machine: Machine, server: string, { publicKey }: Identity): Promise<Known | undefined> {
  try {
    const found = v.parse(knownSchema, JSON.parse((await readPlain(machine.path(KNOWN), LIMIT))?.toString("utf8") ?? ""));
    return found.server === server && (found.publicKey ?? publicKey) === publicKey ? found : undefined;
  } catch {
    return undefined;
  }
}

export async function remember(machine: Machine, known: Known): Promise<void> {
  await makeFolderDurably(machine.path(FOLDER), 0o700);
  await writeDurably(machine.path(KNOWN), `${JSON.stringify(known, undefined, 1)}\n`, 0o600);
}

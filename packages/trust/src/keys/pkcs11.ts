/** Keys that stay in a token, used through openssl and its engine for PKCS#11 (Debian: libengine-pkcs11-openssl). Tokens sign with P-256; few know ed25519. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, scratchFolder, type Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { idOf, type PublicKey, type Signer } from "./signer.ts";

/** What a file says of a key in a token. The PIN is in a file that `pin-source` names, or the token asks for it itself. */
export const tokenSchema = v.strictObject({ suture: v.literal(1), pkcs11: v.pipe(v.string(), v.regex(/^pkcs11:[!-~]+$/)) });

export type TokenFile = v.InferOutput<typeof tokenSchema>;

const ENGINE = ["-engine", "pkcs11"];

/** @throws TRUST_KEY */
export async function tokenKey(task: Task, { pkcs11 }: TokenFile): Promise<PublicKey> {
  if (/pin-value/i.test(pkcs11))
    throw fail("TRUST_KEY", "a PIN in the address of a key can be read by everybody on this machine: name its file by pin-source", {});
  const pem = await openssl(task, ["pkey", ...ENGINE, "-inform", "engine", "-in", pkcs11, "-pubout"]);
  const key = /-----BEGIN PUBLIC KEY-----[\s\S]*-----END PUBLIC KEY-----\n/.exec(pem)?.[0];
  if (key === undefined) throw fail("TRUST_KEY", "openssl prints no public key of it");
  return { keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256", keyval: { public: key } };
}

export async function openToken(task: Task, token: TokenFile): Promise<Signer> {
  const key = await tokenKey(task, token);
  return {
    id: idOf(key),
    key,
    sign: async (during, bytes) => {
      const folder = await scratchFolder("sign");
      try {
        const file = join(folder, "signed");
        await writeFile(file, bytes);
        const words = [
          "pkeyutl",
          ...ENGINE,
          "-keyform",
          "engine",
          "-inkey",
          token.pkcs11,
          "-sign",
          "-rawin",
          "-digest",
          "sha256",
          "-in",
          file,
        ];
        return Buffer.from(await openssl(during, words), "latin1").toString("hex");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function openssl(task: Task, words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(task, ["openssl", ...words], { encoding: "latin1", timeoutMs: 60_000 });
    return stdout;
  } catch (cause) {
    task.check();
    throw fail("TRUST_KEY", (cause instanceof Error ? cause.message : String(cause)).slice(0, 500), {}, { cause });
  }
}

/** Modules signed by keys that openssl makes here: what is written is what openssl and the kernel's own reading of the end of a module find. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isLocked, readSignature, type SignOptions, signModule } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "suture-signature-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
const path = (name: string): string => join(folder, name);
const openssl = (...words: string[]): string => execFileSync("openssl", words, { cwd: folder, encoding: "utf8", stdio: "pipe" });
const task = new Task();

const USAGE = "keyUsage=digitalSignature";
function newKey(name: string, kind: readonly string[], ...extensions: string[]): void {
  openssl("genpkey", ...kind, "-out", `${name}.pem`);
  const added = extensions.flatMap((extension) => ["-addext", extension]);
  openssl(
    "req",
    "-utf8",
    "-new",
    "-x509",
    "-key",
    `${name}.pem`,
    "-out",
    `${name}.crt`,
    "-days",
    "30",
    "-subj",
    `/CN=${name}/O=Säge`,
    ...added,
  );
}
const RSA = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const CURVE = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** What it is of does not matter to a signature. */
const contents = Buffer.from("ELF and the rest of a module\n".repeat(50));
const options = (name: string, more: Partial<SignOptions> = {}): SignOptions => ({
  key: path(`${name}.pem`),
  cert: path(`${name}.crt`),
  hash: "sha256",
  replace: false,
  ...more,
});
const sign = (name: string, more: Partial<SignOptions> = {}, bytes: Buffer = contents) =>
  signModule(task, bytes, "x.ko", options(name, more));

// Of this file alone: what is left there is of it.
beforeAll(() => {
  mkdirSync(path("tmp"));
  vi.stubEnv("TMPDIR", path("tmp"));
  newKey("signer", RSA, USAGE, "extendedKeyUsage=codeSigning");
  newKey("other", RSA, USAGE);
  newKey("curve", CURVE, USAGE);
  newKey("edwards", ["-algorithm", "ED25519"], USAGE);
  newKey("numbered", RSA, USAGE, "subjectKeyIdentifier=none");
  newKey("ca", RSA, "keyUsage=keyCertSign");
  newKey("server", RSA, "extendedKeyUsage=serverAuth");
  openssl("pkcs8", "-topk8", "-in", "signer.pem", "-out", "locked.pem", "-passout", "pass:a secret");
  openssl("x509", "-in", "signer.crt", "-outform", "DER", "-out", "signer.der");
});

/** As the kernel takes a module apart. */
function takenApart(bytes: Buffer): { contents: Buffer; message: Buffer } {
  const mark = "~Module signature appended~\n";
  expect(bytes.subarray(-mark.length).toString("latin1")).toBe(mark);
  const trailer = bytes.subarray(-mark.length - 12, -mark.length);
  expect([...trailer.subarray(0, 8)]).toEqual([0, 0, 2, 0, 0, 0, 0, 0]);
  const end = bytes.length - mark.length - 12;
  const start = end - trailer.readUInt32BE(8);
  return { contents: bytes.subarray(0, start), message: bytes.subarray(start, end) };
}

function verified(bytes: Buffer, name: string): void {
  const parts = takenApart(bytes);
  expect(parts.contents.equals(contents)).toBe(true);
  writeFileSync(path("contents"), parts.contents);
  writeFileSync(path("message"), parts.message);
  // By whom it is signed is believed of that certificate alone.
  const words = ["-verify", "-binary", "-inform", "DER", "-in", "message", "-content", "contents", "-out", "verified"];
  openssl("cms", ...words, "-CAfile", `${name}.crt`, "-certfile", `${name}.crt`, "-purpose", "any");
  expect(readFileSync(path("verified")).equals(contents)).toBe(true);
}

test.each(["sha256", "sha384", "sha512"] as const)("what is signed verifies, and says by which key and hash: %s", async (hash) => {
  const { bytes, signer, subject, replaced } = await sign("signer", { hash });
  verified(bytes, "signer");
  const id = openssl("x509", "-in", "signer.crt", "-noout", "-ext", "subjectKeyIdentifier");
  expect(signer).toEqual({ keyId: id.split("\n")[1]?.trim().replaceAll(":", "").toLowerCase(), hash, algorithm: "rsa" });
  expect({ subject, replaced }).toEqual({ subject: "CN=signer, O=Säge", replaced: false });
  expect(readSignature(bytes, "x.ko")).toEqual({ signers: [signer] });
  expect(readSignature(contents, "x.ko")).toBeUndefined();
});

test("the same module, key and hash make the same bytes; the certificate may be in DER", async () => {
  const { bytes } = await sign("signer");
  expect((await sign("signer", { cert: path("signer.der") })).bytes.equals(bytes)).toBe(true);
});

test("keys of an elliptic curve, and certificates without an identifier, are told of", async () => {
  const curve = await sign("curve");
  verified(curve.bytes, "curve");
  expect(curve.signer.algorithm).toBe("ecdsa");
  expect(curve.notes).toEqual([expect.stringContaining("CONFIG_CRYPTO_ECDSA")]);
  const numbered = await sign("numbered");
  verified(numbered.bytes, "numbered");
  const serial = openssl("x509", "-in", "numbered.crt", "-noout", "-serial").trim().replace("serial=", "").toLowerCase();
  expect(numbered.signer).toEqual({ issuer: "CN=numbered, O=Säge", serial, hash: "sha256", algorithm: "rsa" });
});

test("a signature is replaced when that is asked for, and not otherwise", async () => {
  const { bytes } = await sign("signer");
  await expect(sign("other", {}, bytes)).rejects.toMatchObject({ code: "SIGN_SIGNED" });
  const again = await sign("other", { replace: true }, bytes);
  expect(again.replaced).toBe(true);
  verified(again.bytes, "other");
  expect(again.bytes.equals((await sign("other")).bytes)).toBe(true);
});

test("a key with a passphrase", async () => {
  const key = path("locked.pem");
  expect([await isLocked(key), await isLocked(path("signer.pem"))]).toEqual([true, false]);
  const { bytes } = await sign("signer", { key, passphrase: "a secret" });
  verified(bytes, "signer");
  await expect(sign("signer", { key, passphrase: "another" })).rejects.toMatchObject({ code: "SIGN_PASSPHRASE" });
  await expect(sign("signer", { key })).rejects.toMatchObject({ code: "SIGN_PASSPHRASE" });
});

test("keys and certificates that do not do", async () => {
  await expect(sign("signer", { key: path("other.pem") })).rejects.toMatchObject({
    code: "SIGN_KEY_CERT",
    message: "it is not the key of CN=signer, O=Säge",
  });
  await expect(sign("signer", { key: path("signer.crt") })).rejects.toMatchObject({ code: "SIGN_KEY" });
  await expect(sign("signer", { key: path("absent.pem") })).rejects.toMatchObject({ code: "SIGN_KEY" });
  await expect(sign("signer", { key: "pkcs11:object=x;pin-value=1234" })).rejects.toMatchObject({ code: "SIGN_KEY" });
  await expect(sign("ca")).rejects.toMatchObject({ code: "SIGN_CERT", message: expect.stringContaining("digitalSignature") });
  await expect(sign("server")).rejects.toMatchObject({ code: "SIGN_CERT", message: expect.stringContaining("codeSigning") });
  await expect(sign("edwards")).rejects.toMatchObject({ code: "SIGN_CERT", message: expect.stringContaining("ed25519") });
  await expect(sign("signer", { cert: path("signer.pem") })).rejects.toMatchObject({ code: "SIGN_CERT" });
});

test("an expired certificate is told of, and signs: the kernel does not look at that", async () => {
  const now = new Date();
  const day = (offset: number): string => `${new Date(now.getTime() + offset * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, "")}`;
  writeFileSync(path("index"), "");
  writeFileSync(path("serial"), "01");
  writeFileSync(
    path("ca.conf"),
    "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\n[p]\ncommonName=supplied\n",
  );
  openssl("req", "-new", "-key", "signer.pem", "-out", "old.csr", "-subj", "/CN=old");
  openssl(
    ...["ca", "-batch", "-config", "ca.conf", "-selfsign", "-keyfile", "signer.pem", "-in", "old.csr", "-out", "old.crt"],
    ...["-startdate", day(-20), "-enddate", day(-10), "-notext"],
  );
  const { notes } = await sign("signer", { cert: path("old.crt") });
  expect(notes).toContainEqual(expect.stringContaining("expired on"));
});

test("nothing of a key or a module is left in the temporary folder", async () => {
  await sign("signer");
  await expect(sign("signer", { key: path("other.pem") })).rejects.toThrow();
  const folders = readdirSync(path("tmp"));
  expect(folders).toHaveLength(1);
  expect(readdirSync(join(path("tmp"), folders[0] ?? ""))).toEqual([]);
});

test("whatever the end of a module is: it is read, it is unsigned, or it is refused as damaged", async () => {
  const { bytes } = await sign("signer");
  const from = takenApart(bytes).contents.length - 10;
  let [read, damaged] = [0, 0];
  const edit = fc.record({ at: fc.nat(bytes.length - from - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(20), (edits, cut) => {
      const changed = Buffer.from(bytes);
      for (const { at, byte } of edits) changed[from + at] = byte;
      try {
        // A cut takes bytes from the middle: the mark stays.
        const shorter = Buffer.concat([changed.subarray(0, from + 5), changed.subarray(from + 5 + cut)]);
        if (readSignature(cut > 15 ? shorter : changed, "x.ko") !== undefined) read++;
      } catch (error) {
        expect(error).toBeInstanceOf(SutureError);
        expect(error).toMatchObject({ code: "SIGN_DAMAGED" });
        damaged++;
      }
    }),
    { numRuns: 2000 },
  );
  expect(Math.min(read, damaged)).toBeGreaterThan(50);
});

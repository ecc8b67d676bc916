/** A machine that started by secure boot, with a stock kernel that is locked down by it: only signed livepatches go in, of keys that it has. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Guest } from "@suture/lab";
import { signModule } from "@suture/signature";
import { Task } from "@suture/task";
import { MODULES, suture, testModules, Yard } from "@suture/testkit/host-guest";
import { secureBoot, signersOfImage } from "@suture/testkit/secure-boot";
import { KERNELS } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
/** Bits of the kernel's taint: a module of another tree, a livepatch. */
const TAINT = { O: 1 << 12, K: 1 << 15 };
/** With which insmod ends. */
const EKEYREJECTED = 129;
const folder = mkdtempSync(join(tmpdir(), "suture-lockdown-"));
const path = (name: string): string => join(folder, name);
const openssl = (...words: string[]): unknown => execFileSync("openssl", words, { cwd: folder, stdio: "pipe" });
let yard: Yard;
let guest: Guest;
let livepatch: Uint8Array;
const sh = async (command: string): Promise<string> => (await guest.run(command)).output.trim();

function newKey(name: string): void {
  openssl(
    ...["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.pem`, "-out", `${name}.crt`, "-days", "30"],
    ...["-subj", `/CN=livepatches of ${name}`, "-addext", "keyUsage=digitalSignature", "-addext", "extendedKeyUsage=codeSigning"],
  );
  openssl("x509", "-in", `${name}.crt`, "-outform", "DER", "-out", `${name}.der`);
}

async function signedBy(name: string): Promise<Buffer> {
  const { bytes } = await signModule(task, livepatch, "host_cmdline.ko", {
    key: path(`${name}.pem`),
    cert: path(`${name}.crt`),
    hash: "sha256",
    replace: false,
  });
  return bytes;
}

beforeAll(async () => {
  yard = await Yard.open(task, KERNELS[0]);
  for (const name of ["operator", "owner", "stranger"]) newKey(name);
  livepatch =
    (await testModules(task, yard.kernel)).find((file) => file.path === `${MODULES}/host_cmdline.ko`)?.content ?? new Uint8Array();
  const trusted = [readFileSync(path("operator.der")), ...signersOfImage(yard.kernel.image, folder)];
  guest = await yard.boot({ firmware: secureBoot(trusted, folder, [readFileSync(path("owner.der"))]), deadlineMs: 400_000 });
  for (const name of ["operator", "owner", "stranger"]) await guest.put(`/run/${name}.ko`, await signedBy(name));
}, 1_500_000);
afterAll(async () => {
  await guest?.stop();
  await yard?.close();
  rmSync(folder, { recursive: true });
});

test("the kernel is locked down since it was started by secure boot, and has the keys of the operator and of the owner", async () => {
  expect(await sh("cat /sys/kernel/security/lockdown")).toMatch(/\[integrity\]/);
  const keys = await sh("grep asymmetri /proc/keys");
  for (const name of ["operator", "owner"]) expect(keys).toContain(`livepatches of ${name}`);
  const { document } = await suture(guest, "doctor");
  const finding = document.findings.find(({ what }: { what: string }) => what === "signatures");
  expect(finding).toMatchObject({ outcome: "limited", found: expect.stringMatching(/module.sig_enforce is on.*livepatches of operator/) });
});

test.each([
  ["without a signature", `${MODULES}/host_cmdline.ko`, "HOST_UNSIGNED"],
  ["signed with a key that the machine has not", "/run/stranger.ko", "HOST_UNKNOWN_SIGNER"],
])("a livepatch %s is refused beforehand, and would be by the kernel", async (_, file, code) => {
  const loaded = await suture(guest, `load ${file}`);
  expect([loaded.code, loaded.document.error.code]).toEqual([1, code]);
  expect(await guest.run(`insmod ${file}`)).toMatchObject({ code: EKEYREJECTED });
  expect(await sh("ls /sys/kernel/livepatch")).toBe("");
});

test.each([
  ["the operator, whom the firmware knows,", "operator"],
  ["the machine's owner, by a key that was enrolled as mokutil does,", "owner"],
])("a livepatch that %s signed goes in, has its effect, and goes out", async (_, name) => {
  const before = await sh("cat /proc/cmdline");
  const { code, document } = await suture(guest, `load /run/${name}.ko`);
  expect([code, document.error]).toEqual([0, undefined]);
  expect(document.checks).toContainEqual({
    what: "signature",
    outcome: "good",
    found: `of livepatches of ${name}, whose key the kernel has`,
  });
  expect(await sh("cat /proc/cmdline")).toBe("one");
  // Signed, so that the kernel is not tainted by a module that it does not know: E is missing.
  expect(Number(await sh("cat /proc/sys/kernel/tainted"))).toBe(TAINT.O | TAINT.K);
  expect((await suture(guest, "unload host_cmdline")).code).toBe(0);
  expect(await sh("cat /proc/cmdline")).toBe(before);
});

test("one that was changed after it was signed is refused by the kernel", async () => {
  const bytes = await signedBy("operator");
  const at = bytes.indexOf("one\n\0");
  bytes.write("0", at, "latin1");
  await guest.put("/run/changed.ko", bytes);
  const { code, log } = await guest.run("insmod /run/changed.ko");
  expect(code).toBe(EKEYREJECTED);
  expect(log.map(({ text }) => text).join("\n")).not.toContain("livepatch: enabling");
});

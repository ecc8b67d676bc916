import { expect, test } from "vitest";
import { change, machineOf, moduleOf, notesOf, patchFiles, WELL } from "../../test/tree.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { type CheckOptions, checkLoad, firstRefusal } from "./checks.ts";

const NOTHING: CheckOptions = { unproven: false, stack: false, replace: false };
const FIX = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }]);

async function refusal(machine: Machine, module = FIX, options = NOTHING): Promise<string | undefined> {
  return firstRefusal(await checkLoad(new Snapshot(machine), module, options))?.code;
}

test("a machine on which everything is well", async () => {
  const findings = await checkLoad(new Snapshot(machineOf(WELL)), FIX, NOTHING);
  expect(findings.filter(({ outcome }) => outcome !== "good")).toEqual([]);
  expect(findings.map(({ what }) => what)).toContain("proof");
});

const KEYS = `0b2c1f3a I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 2
1d9a3b40 I------     1 perm 1f010000     0     0 asymmetri Debian Secure Boot CA: 6ccece7e4c6c0d1f6149f3dd27dfcc5cbb419ea1: X509.rsa bb419ea1 []
2e7b1c02 I------     1 perm 1f010000     0     0 asymmetri An: operator: ab12: X509.rsa 0000ab12 []
`;
const signedBy = (signer: { keyId?: string; issuer?: string; serial?: string }) => ({
  ...FIX,
  inspection: { ...FIX.inspection, signature: { signers: [{ ...signer, hash: "sha256", algorithm: "rsa" }] } },
});

test.each([
  ["good", { keyId: "00ab12" }, KEYS, "of An: operator"],
  ["refused", { keyId: "cd34" }, KEYS, "signed with the key cd34; those that the kernel has are of Debian Secure Boot CA; An: operator"],
  ["unknown", { keyId: "cd34" }, "", "cannot be read"],
  ["unknown", { issuer: "CN=x", serial: "cd34" }, KEYS, "shows in the load"],
  ["good", { issuer: "CN=x", serial: "ab12" }, KEYS, "of An: operator"],
] as const)("a signature where the kernel asks for one: %s by %o", (outcome, signer, keys, found) => {
  const machine = machineOf({ ...WELL, "/sys/module/module/parameters/sig_enforce": "Y\n", "/proc/keys": keys });
  const finding = checkLoad(new Snapshot(machine), signedBy(signer), NOTHING).find(({ what }) => what === "signature");
  expect(finding).toMatchObject({ outcome, found: expect.stringContaining(found) });
  expect(finding?.refusal?.code).toBe(outcome === "refused" ? "HOST_UNKNOWN_SIGNER" : undefined);
});

test.each([
  ["HOST_NOT_ROOT", { "/proc/self/status": "CapEff:\t0000000000000000\n" }],
  ["HOST_MODULES_DISABLED", { "/proc/sys/kernel/modules_disabled": "1\n" }],
  ["HOST_OTHER_KERNEL", { "/proc/sys/kernel/osrelease": "6.1.0-8-amd64\n" }],
  ["HOST_OTHER_KERNEL", { "/sys/kernel/notes": notesOf(0xcd) }],
  ["HOST_OTHER_KERNEL", { "/sys/kernel/notes": "" }],
  ["HOST_UNSIGNED", { "/sys/module/module/parameters/sig_enforce": "Y\n" }],
  ["HOST_UNSIGNED", { "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n" }],
  ["HOST_FTRACE_OFF", { "/proc/sys/kernel/ftrace_enabled": "0\n" }],
  ["HOST_FUNCTION_MISSING", { "/proc/kallsyms": "0 t something_else\n" }],
  ["HOST_FUNCTION_MISSING", { "/proc/kallsyms": "0 t cmdline_proc_show\n0 t cmdline_proc_show\n" }],
  ["HOST_FUNCTION_MISSING", { "/proc/kallsyms": "0 t cmdline_proc_show\t[module]\n" }],
  ["HOST_FUNCTION_HELD", { "/sys/kernel/tracing/enabled_functions": "cmdline_proc_show (1) R I     \ttramp: 0xffffffffc0000000\n" }],
  ["HOST_ALREADY_LOADED", { "/proc/modules": "fix 16384 0 - Live 0x0000000000000000 (OEK)\n" }],
  ["HOST_ALREADY_LOADED", patchFiles("fix", true, false, [])],
  ["HOST_TRANSITION", patchFiles("another", true, true, [])],
  ["HOST_FUNCTION_HELD", patchFiles("another", true, false, ["cmdline_proc_show,1"])],
] as [string, Record<string, string | Uint8Array>][])("%s: %j", async (code, files) => {
  expect(await refusal(machineOf({ ...WELL, ...files }))).toBe(code);
});

test("what can be allowed", async () => {
  const machine = machineOf({ ...WELL, ...patchFiles("another", true, false, ["cmdline_proc_show,1"]) });
  expect(await refusal(machine, FIX, { ...NOTHING, stack: true })).toBeUndefined();
  expect(await refusal(machine, FIX, { ...NOTHING, replace: true })).toBe("HOST_NOT_REPLACING");
  const all = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }], { replace: true });
  expect(await refusal(machine, all)).toBe("HOST_REPLACES");
  expect(await refusal(machine, all, { ...NOTHING, replace: true })).toBeUndefined();
  const unproven = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }], { proof: { proven: false, functions: 0 } });
  expect(await refusal(machineOf(WELL), unproven)).toBe("HOST_UNPROVEN");
  expect(await refusal(machineOf(WELL), unproven, { ...NOTHING, unproven: true })).toBeUndefined();
});

test("places among equal names, and functions of modules that may come later", async () => {
  const machine = machineOf(WELL);
  expect(await refusal(machine, moduleOf([{ name: "twice", sympos: 2 }]))).toBeUndefined();
  expect(await refusal(machine, moduleOf([{ name: "twice", sympos: 3 }]))).toBe("HOST_FUNCTION_MISSING");
  expect(await refusal(machine, moduleOf([{ name: "twice", sympos: 0 }]))).toBe("HOST_FUNCTION_MISSING");
  expect(await refusal(machine, moduleOf([{ name: "later", sympos: 0, owner: "absent" }]))).toBeUndefined();
  change(machine, { "/proc/modules": "other 16384 0 - Live 0x0000000000000000\n" });
  expect(await refusal(machine, moduleOf([{ name: "probe", sympos: 0, owner: "other" }]))).toBeUndefined();
  expect(await refusal(machine, moduleOf([{ name: "later", sympos: 0, owner: "other" }]))).toBe("HOST_FUNCTION_MISSING");
});

test("a kprobe is only named if something redirects the function", async () => {
  const probe = "ffffffff81000000  k  cmdline_proc_show+0x0    [FTRACE]\n";
  expect(await refusal(machineOf({ ...WELL, "/sys/kernel/debug/kprobes/list": probe }))).toBeUndefined();
  const machine = machineOf({
    ...WELL,
    "/sys/kernel/debug/kprobes/list": probe,
    "/sys/kernel/tracing/enabled_functions": "cmdline_proc_show (1) R I \ttramp: 0x0\n",
  });
  const [found] = (await checkLoad(new Snapshot(machine), FIX, NOTHING)).filter(({ outcome }) => outcome === "refused");
  expect(found?.found).toBe("a kprobe with a post-handler holds cmdline_proc_show");
});

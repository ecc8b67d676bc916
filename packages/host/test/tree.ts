/** A made-up machine: files below a directory that is removed after the test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { draftOf } from "@suture/testkit/manifest";
import { afterEach } from "vitest";
import { Machine } from "../src/machine/machine.ts";

const made: string[] = [];
afterEach(() => {
  for (const root of made.splice(0)) rmSync(root, { recursive: true });
});

export function machineOf(files: Readonly<Record<string, string | Uint8Array>>): Machine {
  const root = mkdtempSync(join(tmpdir(), "suture-host-tree-"));
  made.push(root);
  const machine = new Machine(root);
  change(machine, files);
  return machine;
}

export function change({ root }: Machine, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** An ELF note with a build-id of 20 equal bytes, as /sys/kernel/notes has it. */
export function notesOf(byte: number): Uint8Array {
  const notes = Buffer.alloc(12 + 4 + 20, byte);
  notes.writeUInt32LE(4, 0);
  notes.writeUInt32LE(20, 4);
  notes.writeUInt32LE(3, 8);
  notes.write("GNU\0", 12);
  return notes;
}

/** A machine on which everything is well, and no livepatch is loaded. */
export const WELL: Readonly<Record<string, string | Uint8Array>> = {
  "/proc/sys/kernel/osrelease": "6.1.0-7-amd64\n",
  "/proc/sys/kernel/random/boot_id": "first\n",
  "/proc/sys/kernel/ftrace_enabled": "1\n",
  "/proc/sys/kernel/tainted": "0\n",
  "/proc/uptime": "100.00 1.00\n",
  "/proc/cmdline": "root=/dev/vda quiet\n",
  "/proc/modules": "",
  "/proc/self/status": "Name:\tnode\nCapEff:\t000001ffffffffff\n",
  "/proc/kallsyms":
    "0000000000000000 t cmdline_proc_show\n0000000000000000 T twice\n0000000000000000 t twice\n0000000000000000 t probe\t[other]\n",
  "/sys/kernel/notes": notesOf(0xab),
  "/sys/kernel/livepatch/.here": "",
  "/sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
  "/sys/kernel/tracing/enabled_functions": "",
  "/sys/kernel/debug/kprobes/list": "",
  "/sys/module/module/parameters/sig_enforce": "N\n",
};
export const BUILD_ID = "ab".repeat(20);

/** The files of a livepatch that is loaded. */
export function patchFiles(name: string, enabled: boolean, transition: boolean, functions: readonly string[]): Record<string, string> {
  const folder = `/sys/kernel/livepatch/${name}`;
  return {
    [`${folder}/enabled`]: enabled ? "1\n" : "0\n",
    [`${folder}/transition`]: transition ? "1\n" : "0\n",
    [`${folder}/vmlinux/patched`]: "1\n",
    ...Object.fromEntries(functions.map((f) => [`${folder}/vmlinux/${f}/.here`, ""])),
  };
}

/** A livepatch's file as the checks see it, without its bytes. */
export function moduleOf(functions: readonly { name: string; sympos: number; owner?: string }[], more: object = {}) {
  return {
    file: "fix.ko",
    bytes: Buffer.from("the module"),
    sha256: "5b0b6bd0ef79e0a8e2b9a8ae28f7d0be2b0f1a2d4b4d8fe2ffb6d37d51a5b9aa",
    name: "fix",
    release: "6.1.0-7-amd64",
    inspection: {
      file: "fix.ko",
      name: "fix",
      livepatch: true,
      release: "6.1.0-7-amd64",
      vermagic: "6.1.0-7-amd64 SMP",
      modinfo: [],
      functions: functions.map(({ name, sympos }) => ({ name, sympos, replacement: name, size: 1 })),
      others: [],
      klpSymbols: [],
      imports: [],
      relocations: [],
      descriptor: undefined,
      faults: [],
      manifest: undefined,
      signature: undefined,
    },
    manifest: {
      ...draftOf(),
      name: "fix",
      kernel: { release: "6.1.0-7-amd64", buildId: BUILD_ID },
      functions: functions.map(({ name, sympos, owner = "vmlinux" }) => ({
        object: "a.o",
        owner,
        name,
        sympos,
        sizeBefore: 1,
        size: 1,
        why: "changed",
      })),
      contents: "00".repeat(32),
      fixes: [{ subject: "a fix", cves: ["CVE-2026-1"] }],
      ...more,
    },
  };
}

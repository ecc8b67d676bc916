/** A guest that can run Suture: node, the bundled file, and livepatches for its kernel. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openImage } from "@suture/kernel";
import { type BootOptions, boot, type Guest, type GuestFile, programFiles } from "@suture/lab";
import { finish, inspect } from "@suture/livepatch";
import type { DraftManifest } from "@suture/protocol";
import type { Task } from "@suture/task";
import { documentIn } from "./document.ts";
import { draftOf } from "./manifest.ts";
import { staticProgram } from "./static-program.ts";
import { buildTestModules, type TestKernel, testKernel } from "./stock-kernel.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PROGRAMS = join(import.meta.dirname, "../programs");
const SOURCES = join(import.meta.dirname, "../host-modules");
const SUTURE = "/opt/suture.mjs";
/** A program that puts a BPF trampoline on a function (programs/). */
export const TRAMPOLINE = "/opt/trampoline";
/** Where the guest has the livepatches. */
export const MODULES = "/opt/modules";
/** Without options: with others than it was built with, Node reads none of its code as it was compiled then, and takes longer. */
const NODE = "node";
const STORE = "/var/lib/suture";
const MEMORY = 1024;
const DISK_SIZE = 32 * 1024 * 1024;
const TOOLS = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export interface Answer {
  code: number;
  /** The document that --json printed, held against its schema. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has a document of its own, which the tests look into
  document: any;
  stderr: string;
}

/** What all guests of one kernel share. */
export class Yard {
  readonly kernel: TestKernel;
  readonly #task: Task;
  readonly #folder: string;
  readonly #files: GuestFile[];

  private constructor(task: Task, kernel: TestKernel, folder: string, files: GuestFile[]) {
    this.#task = task;
    this.kernel = kernel;
    this.#folder = folder;
    this.#files = files;
  }

  /** @param own what guests have instead of the modules of host-modules/ */
  static async open(task: Task, metaPackage: string, own?: readonly GuestFile[]): Promise<Yard> {
    const kernel = await testKernel(task, metaPackage);
    const folder = await mkdtemp(join(tmpdir(), "suture-host-"));
    // Any run of it makes what it runs, where that is not made already.
    execFileSync(join(ROOT, "suture"), ["--version"]);
    const files: GuestFile[] = [
      { path: "/etc/passwd", content: Buffer.from("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n") },
      ...["suture.mjs", "program.cjs", "machine.cjs"].map((name) => ({
        path: join(dirname(SUTURE), name),
        content: { file: join(ROOT, "dist/checkout", name) },
      })),
      ...(await programFiles(task, ["node", "flock"])),
      ...(own ?? [
        ...(await testModules(task, kernel)),
        { path: TRAMPOLINE, content: staticProgram(readFileSync(join(PROGRAMS, "trampoline.c"), "utf8")), mode: 0o755 },
      ]),
    ];
    return new Yard(task, kernel, folder, files);
  }

  /** One of those that the guest has in its folder of modules. */
  module(name: string): Uint8Array {
    const file = this.#files.find(({ path }) => path === `${MODULES}/${name}.ko`);
    if (file === undefined || !(file.content instanceof Uint8Array)) throw new Error(`there is no ${name}.ko`);
    return file.content;
  }

  get buildId(): string {
    return inspect(this.module("host_cmdline"), "host_cmdline.ko").manifest?.kernel.buildId ?? "";
  }

  /** @param options.disk a file with an ext4 file system, which becomes the store */
  async boot(options: Partial<BootOptions> & { disk?: string } = {}): Promise<Guest> {
    const { disk, files = [], ...more } = options;
    const guest = await boot(this.#task, {
      image: this.kernel.image,
      memory: MEMORY,
      // With one, a transition that nothing holds up ends at once.
      cpus: 1,
      files: [...this.#files, ...files],
      ...(disk === undefined ? {} : { disks: [disk], modules: { tree: this.kernel.modules, names: ["virtio_pci", "virtio_blk", "ext4"] } }),
      ...more,
    });
    await guest.run("mount -t tracefs tracefs /sys/kernel/tracing; mount -t securityfs securityfs /sys/kernel/security");
    if (disk !== undefined) await guest.run(`mkdir -p ${STORE} && mount -t ext4 /dev/vda ${STORE}`);
    return guest;
  }

  async makeDisk(name: string): Promise<string> {
    const disk = join(this.#folder, name);
    await writeFile(disk, "");
    await truncate(disk, DISK_SIZE);
    execFileSync("mkfs.ext4", ["-q", "-F", disk], { env: TOOLS });
    return disk;
  }

  /** A disk that gives an I/O error where a file of it has its contents. QEMU makes the error. @param path below the root of the disk */
  async failingAt(disk: string, path: string): Promise<string> {
    const ask = (...words: string[]): string =>
      execFileSync("debugfs", [...words, disk], { encoding: "utf8", env: TOOLS, stdio: ["ignore", "pipe", "pipe"] });
    const blockSize = Number(/^Block size:\s+(\d+)$/m.exec(ask("-R", "stats -h"))?.[1]);
    const block = Number(ask("-R", `blocks ${path}`).trim().split(" ")[0]);
    const rules = join(this.#folder, "failing");
    const sectors = Array.from({ length: blockSize / 512 }, (_, i) => (block * blockSize) / 512 + i);
    const rule = (sector: number): string =>
      `[inject-error]\nevent = "none"\niotype = "read"\nerrno = "5"\nsector = "${sector}"\nonce = "off"\n`;
    await writeFile(rules, sectors.map(rule).join("\n"));
    return `blkdebug:${rules}:${disk}`;
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** @param before words of the shell before it: variables of its environment */
export async function suture(guest: Guest, line: string, timeoutMs = 120_000, before = ""): Promise<Answer> {
  const command = `${before} ${NODE} ${SUTURE} --json ${line} >/tmp/stdout 2>/tmp/stderr; code=$?; cat /tmp/stdout; printf '\\0'; cat /tmp/stderr; exit $code`;
  const { code, output, truncated } = await guest.run(command, { timeoutMs });
  const [stdout = "", stderr = ""] = truncated
    ? [await inPieces(guest, "/tmp/stdout"), await inPieces(guest, "/tmp/stderr")]
    : output.split("\0");
  const text = stdout.trim();
  return { code, document: text === "" ? undefined : documentIn(text), stderr };
}

/** Of what one command prints the guest keeps so much. */
const PIECE = 200_000;

async function inPieces(guest: Guest, file: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; ; at += PIECE) {
    const { bytes } = await guest.run(`tail -c +${at + 1} ${file} | head -c ${PIECE}`);
    pieces.push(bytes);
    if (bytes.length < PIECE) return Buffer.concat(pieces).toString();
  }
}

/** The modules of host-modules/, the livepatches among them with a manifest, and some that must not be loaded. */
export async function testModules(task: Task, kernel: TestKernel): Promise<(GuestFile & { content: Uint8Array })[]> {
  const image = await openImage(task, kernel.image, {});
  const built = await buildTestModules(task, kernel, SOURCES);
  const files: (GuestFile & { content: Uint8Array })[] = [];
  const add = (name: string, content: Uint8Array): void => void files.push({ path: `${MODULES}/${name}`, content });
  for (const name of (await readdir(built)).filter((file) => file.endsWith(".ko"))) {
    const bytes = await readFile(join(built, name));
    const { livepatch } = inspect(bytes, name);
    add(name, livepatch ? withManifest(bytes, name, kernel.release, image.buildId) : bytes);
    if (name !== "host_cmdline.ko") continue;
    add("plain.ko", bytes);
    add("other_build.ko", withManifest(bytes, name, kernel.release, "00".repeat(20)));
    add("cut.ko", bytes.subarray(0, bytes.length - 1000));
    add("other_release.ko", otherRelease(bytes, kernel.release));
    const whole = withManifest(bytes, name, kernel.release, image.buildId);
    add("tampered.ko", tampered(whole));
    const handed = [{ object: "by hand", function: "host_cmdline_show", kind: "function", name: "host_helper" }] as const;
    add("leaving.ko", withManifest(bytes, name, kernel.release, image.buildId, { handed: [...handed] }));
    // As a damaged one, or one of another hand, may be.
    for (const [damage, wrong] of Object.entries(DAMAGED))
      add(`${damage}.ko`, withManifest(bytes, name, kernel.release, image.buildId, wrong));
    add("no_klp.ko", withManifest(bytes, name, kernel.release, image.buildId, { symbols: [KLP_SYMBOL] }));
  }
  image.close();
  await rm(built, { recursive: true });
  return files;
}

/** What a livepatch refers to by the livepatch core; the module does not have it. */
const KLP_SYMBOL: DraftManifest["symbols"][number] = {
  name: "saved_command_line_len",
  how: "klp",
  object: "vmlinux",
  sympos: 0,
  symbol: ".klp.sym.vmlinux.saved_command_line_len,0",
};

/** Manifests with a member of the wrong shape, by the name of the file. */
const DAMAGED = {
  bad_modules: { modules: [null] },
  bad_fixes: { fixes: [{}] },
  bad_handed: { handed: 5 },
} as unknown as Record<string, Partial<DraftManifest>>;

/** The same module, said to be for another release of the same length. */
function otherRelease(bytes: Uint8Array, release: string): Uint8Array {
  const other = release.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
  return Buffer.from(Buffer.from(bytes).toString("latin1").replaceAll(release, other), "latin1");
}

/** One byte of the text that the livepatch shows is another one. */
function tampered(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf("one\n\0");
  if (at < 0) throw new Error("host_cmdline.ko has no such string");
  copy.write("0", at, "latin1");
  return copy;
}

/** As the build makes them, of a livepatch that was written by hand. */
function withManifest(bytes: Uint8Array, name: string, release: string, buildId: string, more: Partial<DraftManifest> = {}): Uint8Array {
  const { functions, descriptor } = inspect(bytes, name);
  const called = (descriptor?.objects ?? []).flatMap(({ name: of, callbacks }) =>
    callbacks.map((callback) => ({ object: "by hand", owner: of, ...callback })),
  );
  const owner = name.startsWith("host_target") ? "host_target" : "vmlinux";
  const manifest = draftOf({
    name: name.replace(".ko", ""),
    kernel: { release, buildId },
    proof: { proven: true, functions: functions.length },
    replace: name === "host_all.ko",
    functions: functions.map(({ name: function_, sympos, size }) => ({
      object: "by hand",
      owner,
      name: function_,
      sympos,
      sizeBefore: size,
      size,
      why: "written by hand",
    })),
    ...(called.length === 0 ? {} : { callbacks: called }),
    fixes: [{ subject: `what ${name} mends`, cves: ["CVE-2026-0001"] }],
    ...more,
  });
  return finish(bytes, name, manifest, 127).bytes;
}

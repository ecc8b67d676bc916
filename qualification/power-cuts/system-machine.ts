/** One machine with a disk that outlives its boots. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { boot, type Guest, type GuestFile, type Network } from "@suture/lab";
import { Task } from "@suture/task";
import type { TestKernel } from "@suture/testkit/stock-kernel";

interface Parts {
  kernel: TestKernel;
  folder: string;
  /** A raw image of the system. */
  image: string;
  cache: string;
  network?: Network;
  /** MiB; 1024 unless given. */
  memory?: number;
}

export interface Said {
  code: number;
  // biome-ignore lint/suspicious/noExplicitAny: each command has a document of its own
  document: any;
}

/** Generous: this machine may be busy with other things. */
const BOOT_MS = 600_000;
const RUN_MS = 300_000;
const APPEND = ["systemd.show_status=0", "quiet", "net.ifnames=0"];
/** As QEMU gives it out. */
const NETWORK = "ip link set lo up; ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2";

export class SystemMachine {
  readonly #task: Task;
  readonly #parts: Parts;
  readonly #disk: string;
  readonly #overlay: string;
  #guest: Guest | undefined;

  private constructor(task: Task, parts: Parts) {
    this.#task = task;
    this.#parts = parts;
    this.#disk = join(parts.folder, "disk.ext4");
    this.#overlay = join(parts.folder, "overlay.qcow2");
  }

  static async make(task: Task, parts: Parts): Promise<SystemMachine> {
    const machine = new SystemMachine(task, parts);
    await cp(parts.image, machine.#disk);
    return machine;
  }

  /** Until our agent answers, which it does early in the system's own boot. @param append kernel options */
  async boot(append: readonly string[] = []): Promise<Guest> {
    const guest = await this.#boot(this.#task, append);
    this.#guest = guest;
    if (this.#parts.network !== undefined) {
      const { code, output } = await guest.run(NETWORK, { timeoutMs: RUN_MS });
      if (code !== 0) throw new Error(`the machine has no network: ${output}`);
    }
    return guest;
  }

  /** Boots, and takes the power away after so long a time. @returns whether it had answered by then */
  async bootAndCut(ms: number): Promise<boolean> {
    const cut = new AbortController();
    const over = new Promise((resolve) => setTimeout(resolve, ms));
    let up = false;
    const booted = this.#boot(new Task(undefined, cut.signal), []).then(
      async (guest) => {
        up = true;
        await over;
        await guest.stop();
      },
      (error: unknown) => {
        if (!cut.signal.aborted) throw error;
      },
    );
    await Promise.race([over, booted]);
    if (!up) cut.abort();
    await booted;
    this.#task.check();
    return up;
  }

  /** Takes the power away: QEMU is killed. */
  async cut(): Promise<void> {
    await this.#guest?.stop();
    this.#guest = undefined;
  }

  async reboot(append: readonly string[] = []): Promise<Guest> {
    await this.#guest?.shutDown("systemctl reboot", RUN_MS);
    return this.boot(append);
  }

  /** Puts files onto the disk before the machine is booted for the first time. */
  furnish(files: readonly (GuestFile & { content: Uint8Array })[]): void {
    const folder = mkdtempSync(join(this.#parts.folder, "files-"));
    try {
      const folders = new Set(files.map(({ path }) => dirname(path)).filter((name) => name !== "/opt"));
      const commands = [...folders].map((name) => `mkdir ${name}`);
      for (const [i, { path, content }] of files.entries()) {
        writeFileSync(join(folder, String(i)), content, { mode: 0o755 });
        commands.push(`write ${join(folder, String(i))} ${path}`);
      }
      writeFileSync(join(folder, "commands"), `${commands.join("\n")}\n`);
      execFileSync("debugfs", ["-w", "-f", join(folder, "commands"), this.#disk], {
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
        stdio: ["ignore", "ignore", "pipe"],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async run(command: string): Promise<string> {
    return (await this.guest.run(command, { timeoutMs: RUN_MS })).output.trim();
  }

  async suture(line: string): Promise<Said> {
    const { code, output } = await this.guest.run(`node /opt/suture.mjs --json ${line} 2>/dev/null`, {
      timeoutMs: RUN_MS,
    });
    return { code, document: output.trim() === "" ? undefined : JSON.parse(output) };
  }

  async close(): Promise<void> {
    await this.cut();
    for (const path of [this.#disk, this.#overlay]) rmSync(path, { force: true });
  }

  get guest(): Guest {
    if (this.#guest === undefined) throw new Error("the machine is off");
    return this.#guest;
  }

  async #boot(task: Task, append: readonly string[]): Promise<Guest> {
    const { kernel, cache, network, memory = 1024 } = this.#parts;
    this.#freshOverlay();
    return boot(task, {
      image: kernel.image,
      cache,
      system: true,
      disks: [{ file: this.#overlay, format: "qcow2" }],
      modules: { tree: kernel.modules, names: ["virtio_pci", "virtio_blk", "ext4", ...(network === undefined ? [] : ["virtio_net"])] },
      network,
      memory,
      cpus: 1,
      deadlineMs: BOOT_MS,
      graceMs: RUN_MS,
      append: [...APPEND, ...append],
    });
  }

  /** What the last boot had flushed becomes the disk. */
  #freshOverlay(): void {
    try {
      execFileSync("qemu-img", ["commit", "-q", "-f", "qcow2", this.#overlay], { stdio: ["ignore", "ignore", "pipe"] });
    } catch (error) {
      if (!String(error).includes("No such file")) throw error;
    }
    rmSync(this.#overlay, { force: true });
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", this.#disk, "-F", "raw", this.#overlay]);
  }
}

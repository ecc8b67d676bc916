/** From a kernel image to a guest that answers. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import { shellWord } from "@suture/files";
import type { Accelerator } from "@suture/protocol";
import type { Task } from "@suture/task";
import { chooseAccelerator, rememberAccelerator } from "./accelerator.ts";
import { Agent } from "./agent.ts";
import { fail } from "./errors.ts";
import { Guest } from "./guest.ts";
import { archOfImage } from "./image.ts";
import { initScript } from "./init-script.ts";
import { buildInitramfs, type GuestFile, readable } from "./initramfs.ts";
import { KernelLog } from "./kernel-log.ts";
import { type Disk, type Firmware, type Network, startMachine } from "./machine.ts";
import { loadOrder } from "./modules.ts";
import { systemInit } from "./system-init.ts";

export interface BootOptions {
  /** The kernel: a vmlinuz. */
  image: string;
  /** Files for the guest. */
  files?: readonly GuestFile[];
  /** Modules to load at boot, each after those that it needs; `tree` is the kernel's lib/modules/RELEASE. Built-in ones are fine. */
  modules?: { tree: string | undefined; names: readonly string[] };
  /** Kernel options after ours. */
  append?: readonly string[];
  /** MiB; 512 unless given. */
  memory?: number;
  /**
   * 2 unless given. With 1 a livepatch's transition mostly ends at once; with more it takes 1 to 2 s, as on a real machine: the idle
   * task of another CPU moves over only when the kernel looks again, and it looks once in a second.
   */
  cpus?: number;
  /** Milliseconds to the first answer; 60 s unless given. Like `graceMs` without the time in which this machine has no processor for the guest. */
  deadlineMs?: number;
  /** Milliseconds that a guest which is well may take for what costs it nothing, as to answer or to log a line; 10 s unless given. */
  graceMs?: number;
  /** Images, each a virtio disk (/dev/vda and on) that is written to. The guest needs the modules virtio_pci and virtio_blk for them. */
  disks?: readonly Disk[];
  /**
   * The first disk holds a whole system (ext4), whose own /sbin/init is to run; we only answer from within it, as a service of its systemd. `modules`
   * are those that reaching the disk takes; `files` are not for it.
   */
  system?: boolean;
  /** A network card of virtio, to which this machine is 10.0.2.2; it needs the modules virtio_pci and virtio_net. What is not asked for is not there. */
  network?: Network | undefined;
  /** The machine starts by UEFI, which looks at the kernel where its variables say that it has to. */
  firmware?: Firmware;
  /** Instead of finding out whether KVM works. */
  accelerator?: Accelerator;
  /** Directory where it is remembered whether KVM works here; XDG_CACHE_HOME/suture unless given. */
  cache?: string;
}

const DEADLINE_MS = 60_000;
const GRACE_MS = 10_000;
/** A kernel is up within a second under KVM. One that is not by then hangs, as nested KVM does on some hosts. */
const KVM_DEADLINE_MS = 8_000;
const GUEST_MODULES = "/lib/suture";

/**
 * Boots a kernel. The guest lives until `stop`, until the task is cancelled, or until this process ends.
 * @throws LAB_HANG, LAB_PANIC, LAB_LOST, LAB_IMAGE, LAB_QEMU_MISSING, LAB_BUSYBOX_MISSING, LAB_FILE_UNREADABLE, LAB_MODULE_MISSING, LAB_MODULE_REFUSED
 */
export async function boot(task: Task, options: BootOptions): Promise<Guest> {
  return task.stage(`boot ${basename(options.image)}`, async (stage) => {
    // QEMU's own word for it would be the same for a directory or a file without permission.
    await readable(options.image);
    const modules = options.modules === undefined ? [] : await loadOrder(task, options.modules.tree, options.modules.names);
    const names = modules.map(({ name }) => name);
    const files = [...(options.files ?? []), ...modules.map(({ name, data }) => ({ path: `${GUEST_MODULES}/${name}.ko`, content: data }))];
    stage.note("waiting for its first answer");
    const guest = await bootSomehow(task, { ...options, files }, names);
    try {
      // A system's disk could not have been reached without them.
      if (options.system !== true)
        for (const name of names) {
          stage.note(`loading ${name}`);
          await loadModule(guest, name, options.image);
        }
    } catch (error) {
      await guest.stop();
      throw error;
    }
    stage.result(`${guest.release} under ${guest.accelerator.toUpperCase()}`);
    return guest;
  });
}

async function bootSomehow(task: Task, options: BootOptions, modules: readonly string[]): Promise<Guest> {
  if (options.accelerator !== undefined) return bootWith(task, options.accelerator, options, modules);
  const choice = await chooseAccelerator(options.cache);
  if (choice.known) return bootWith(task, choice.accelerator, options, modules);
  try {
    const deadlineMs = Math.min(KVM_DEADLINE_MS, options.deadlineMs ?? DEADLINE_MS);
    const guest = await bootWith(task, "kvm", { ...options, deadlineMs }, modules);
    await rememberAccelerator("kvm", options.cache);
    return guest;
  } catch (error) {
    if (!(error instanceof SutureError) || !["LAB_HANG", "LAB_LOST", "LAB_PANIC"].includes(error.code)) throw error;
    // Only an image that boots without KVM shows that KVM was at fault.
    const guest = await bootWith(task, "tcg", options, modules);
    await rememberAccelerator("tcg", options.cache);
    return guest;
  }
}

async function bootWith(task: Task, accelerator: Accelerator, options: BootOptions, modules: readonly string[]): Promise<Guest> {
  const nonce = randomBytes(8).toString("hex");
  const arch = await archOfImage(options.image);
  const { ports } = arch.qemu;
  const init =
    options.system === true
      ? systemInit(
          nonce,
          ports,
          modules.map((name) => `${GUEST_MODULES}/${name}.ko`),
        )
      : initScript(nonce, ports);
  const machine = await startMachine(task, {
    accelerator,
    arch,
    image: options.image,
    initramfs: await buildInitramfs(task, init, options.files ?? []),
    append: options.append ?? [],
    memory: options.memory ?? 512,
    cpus: options.cpus ?? 2,
    disks: options.disks ?? [],
    network: options.network,
    firmware: options.firmware,
  });
  const agent = new Agent(machine.agent, nonce);
  const hello = agent.hello();
  const log = new KernelLog(
    nonce,
    (id) => guest.marked(id),
    (line) => guest.logged(line),
  );
  const guest = new Guest({ task, machine, agent, log, accelerator, image: options.image, graceMs: options.graceMs ?? GRACE_MS });
  machine.log.on("data", (chunk: Buffer) => log.push(chunk));
  try {
    await guest.ready(hello, options.deadlineMs ?? DEADLINE_MS);
    return guest;
  } catch (error) {
    await guest.stop();
    throw error;
  }
}

async function loadModule(guest: Guest, name: string, image: string): Promise<void> {
  const loaded = await guest.run(`grep -q ${shellWord(`^${name} `)} /proc/modules || insmod ${shellWord(`${GUEST_MODULES}/${name}.ko`)}`);
  if (loaded.code === 0) return;
  const said = [loaded.output.trim(), ...loaded.log.map(({ text }) => text)].join("\n");
  throw fail("LAB_MODULE_REFUSED", `module ${name} was not loaded:\n${said}`, { file: image });
}

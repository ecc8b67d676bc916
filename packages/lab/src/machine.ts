/** One QEMU process: its command line, its three lines to us, its end. */
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arch } from "@suture/arch";
import { findProgram } from "@suture/files";
import type { Accelerator } from "@suture/protocol";
import { start, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import { starvedMs, turnsOf } from "./starved.ts";

/**
 * What each kernel is told, besides what only its processor's know. Nothing here changes the code that the kernel runs: that is what the processor
 * asks for, as on a real machine.
 */
const KERNEL_OPTIONS = [
  // Every message reaches the console, whatever a program in the guest does to the log level. Measured: no slower than "quiet".
  "ignore_loglevel",
  // A panic restarts at once, which -no-reboot turns into the end of QEMU.
  "panic=-1",
  // The agent's marks go through /dev/kmsg, which is otherwise limited to ten lines in five seconds.
  "printk.devkmsg=on",
  // The self-tests of the crypto algorithms take 0.5 s of an emulated boot.
  "cryptomgr.notests",
];

/** A raw image, or one of another format. */
export type Disk = string | { file: string; format: "qcow2" };

/** Of UEFI: two files, of which the firmware writes to that of its variables. */
export interface Firmware {
  code: string;
  variables: string;
}

/** Ports of this machine's loopback that lead to ports of the guest. */
export interface Network {
  forward: readonly { from: number; to: number }[];
}

export interface MachineOptions {
  arch: Arch;
  accelerator: Accelerator;
  image: string;
  initramfs: Uint8Array;
  append: readonly string[];
  /** MiB */
  memory: number;
  cpus: number;
  disks: readonly Disk[];
  network: Network | undefined;
  firmware: Firmware | undefined;
}

/** How QEMU ended. */
export interface MachineEnd {
  code: number | null;
  signal: string | null;
  /** What QEMU itself printed. */
  stderr: string;
}

export interface Machine {
  pid: number;
  /** The kernel's log; only comes from the guest. */
  log: Socket;
  agent: Socket;
  ended: Promise<MachineEnd>;
  kill(): void;
  /** Interrupts a guest that does not listen any more. */
  interrupt(): void;
  /** Begins to count: of the milliseconds since, how many QEMU waited for a processor that others had. */
  starved(): () => number;
}

const ACCELERATORS: Readonly<Record<Accelerator, string>> = {
  kvm: "kvm",
  // All processors in one thread. With a thread each, QEMU 7.2 may still run code that the kernel has just patched on another processor (it
  // translates without holding the page), and a jump label or livepatch that was written correctly ends in an oops. Not slower, either.
  tcg: "tcg,thread=single",
};

/** The file descriptors that QEMU inherits. */
const FD = { log: 3, agent: 4, monitor: 5, initramfs: 6 };

export async function startMachine(task: Task, options: MachineOptions): Promise<Machine> {
  const { qemu } = options.arch;
  const program = await findQemu(qemu.program);
  const initramfs = await unnamedFile(options.initramfs);
  try {
    const append = [...qemu.append, ...KERNEL_OPTIONS, ...options.append].join(" ");
    // The parent-death signal ends QEMU even when this process is killed in a way that it cannot act on.
    const argv = ["setpriv", "--pdeathsig", "KILL", program, ...qemuArguments(options), "-append", append];
    const child = start(task, argv, { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", initramfs.fd] });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-8192);
    });
    const [log, agent, monitor] = [FD.log, FD.agent, FD.monitor].map((fd) => child.stdio[fd] as Socket | null | undefined);
    const ended = new Promise<MachineEnd>((resolve) => {
      child.once("error", (error) => resolve({ code: null, signal: null, stderr: error.message }));
      child.once("close", (code, signal) => resolve({ code, signal, stderr: stderr.trim() }));
    });
    if (child.pid === undefined || !log || !agent || !monitor) throw fail("LAB_LOST", `QEMU did not start: ${(await ended).stderr}`);
    // Writing to a QEMU that has just ended fails; that it ended is told by `ended`.
    for (const socket of [log, agent, monitor]) socket.on("error", () => {});
    monitor.resume();
    return {
      pid: child.pid,
      log,
      agent,
      ended,
      kill: () => void child.kill("SIGKILL"),
      interrupt: () => void monitor.write(`${qemu.interrupt}\n`),
      starved: () => {
        const [before, started] = [turnsOf(child.pid), performance.now()];
        return () => starvedMs(before, turnsOf(child.pid), performance.now() - started);
      },
    };
  } finally {
    await initramfs.close();
  }
}

function qemuArguments(options: MachineOptions): string[] {
  const { qemu } = options.arch;
  const socket = (id: string, fd: number): string[] => ["-chardev", `socket,id=${id},fd=${fd}`];
  return [
    // Nothing but what is named here: no display.
    ...["-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot"],
    ...[
      "-machine",
      ...(options.firmware === undefined ? [qemu.machine] : qemu.secureMachine),
      "-accel",
      ACCELERATORS[options.accelerator],
      "-cpu",
      qemu.cpu,
    ],
    ...["-m", String(options.memory), "-smp", String(options.cpus)],
    ...socket("log", FD.log),
    ...["-serial", "chardev:log"],
    ...socket("agent", FD.agent),
    ...["-serial", "chardev:agent"],
    ...socket("monitor", FD.monitor),
    ...["-mon", "chardev=monitor,mode=readline"],
    ...(options.firmware === undefined ? [] : flash(options.firmware)),
    ...options.disks.flatMap(drive),
    ...(options.network === undefined ? [] : card(options.network)),
    ...["-kernel", options.image, "-initrd", `/dev/fd/${FD.initramfs}`],
  ];
}

function drive(disk: Disk): string[] {
  const { file, format } = typeof disk === "string" ? { file: disk, format: "raw" } : disk;
  return ["-drive", `file=${file.replaceAll(",", ",,")},format=${format},if=virtio`];
}

function card({ forward }: Network): string[] {
  const ports = forward.map(({ from, to }) => `,hostfwd=tcp:127.0.0.1:${from}-:${to}`).join("");
  return ["-nic", `user,model=virtio-net-pci${ports}`];
}

function flash({ code, variables }: Firmware): string[] {
  const unit = (n: number, file: string, more = ""): string[] => [
    "-drive",
    `if=pflash,format=raw,unit=${n},file=${file.replaceAll(",", ",,")}${more}`,
  ];
  return [...unit(0, code, ",readonly=on"), ...unit(1, variables)];
}

/** @throws LAB_QEMU_MISSING */
async function findQemu(program: string): Promise<string> {
  const path = await findProgram(program);
  if (path !== undefined) return path;
  throw fail("LAB_QEMU_MISSING", `there is no ${program}`, { file: program });
}

/** An open file that no path leads to: however this process ends, it leaves nothing behind. */
async function unnamedFile(bytes: Uint8Array) {
  const directory = await mkdtemp(join(tmpdir(), "suture-lab-"));
  try {
    const file = await open(join(directory, randomBytes(8).toString("hex")), "wx+", 0o600);
    await rm(directory, { recursive: true });
    try {
      await file.writeFile(bytes);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

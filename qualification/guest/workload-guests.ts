/** Loads livepatches, one or several together, into a guest under a workload. */
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { boot, type Guest, type RunResult } from "@suture/lab";
import type { Target } from "@suture/sources";
import type { Task } from "@suture/task";
import { BACKGROUND, WORKLOAD } from "./workload.ts";

export interface Outcome {
  outcome: string;
  why: string | undefined;
}

const DISK_BYTES = 32 * 1024 * 1024;
/** The kernel goes through all its ftrace entries for each function of a livepatch: in an emulated guest it replaces some ten in a second. */
const LONGEST_MS = 600_000;

export class WorkloadGuests {
  readonly #task: Task;
  readonly #target: Target;
  readonly #cache: string;
  readonly #cpus: number;
  readonly #disk: string;
  #guest: Guest | undefined;
  /** By the workload, before anything was patched. */
  #printed = "";

  constructor(task: Task, target: Target, { cache, folder, cpus }: { cache: string; folder: string; cpus: number }) {
    this.#task = task;
    this.#target = target;
    this.#cache = cache;
    this.#cpus = cpus;
    this.#disk = join(folder, `disk-${process.pid}.img`);
  }

  /**
   * Loads them one after the other, runs the workload, and takes them out again. A guest in which something went wrong is not used again.
   * @param stays the modules stay in memory when they are out of effect; the guest is not used again
   */
  async load(modules: readonly string[], { stays = false }: { stays?: boolean } = {}): Promise<Outcome> {
    const guest = await this.#ready();
    const outcome = await this.#load(guest, modules, stays ? OUT_OF_EFFECT : TAKE_OUT).catch((error: unknown) => {
      this.#task.check();
      if (!(error instanceof SutureError)) throw error;
      return { outcome: error.code, why: error.message };
    });
    if (outcome.outcome !== "passed" || stays) await this.stop();
    return outcome;
  }

  async #load(guest: Guest, modules: readonly string[], takeOut: string): Promise<Outcome> {
    const from = guest.logPosition;
    const run = (command: string): Promise<RunResult> => guest.run(command, { timeoutMs: LONGEST_MS });
    for (const module of modules) {
      await guest.put("/run/livepatch.ko", await readFile(module));
      const loaded = await run("insmod /run/livepatch.ko");
      if (loaded.code !== 0) return { outcome: "refused", why: `${module}: ${loaded.output}` };
      if ((await run(SETTLED)).code !== 0)
        return { outcome: "stuck", why: `${module}: the transition does not end: ${(await run(BLOCKERS)).output}` };
    }
    const worked = await run(WORKLOAD);
    const gone = await run(takeOut);
    const events = guest.events(from);
    if (events.length > 0) return { outcome: "warned", why: events.map(({ headline }) => headline).join("; ") };
    if (gone.code !== 0) return { outcome: "stuck", why: `${gone.output} ${(await run(BLOCKERS)).output}` };
    if (worked.code === 0 && worked.output === this.#printed) return { outcome: "passed", why: undefined };
    return { outcome: "workload", why: `exit code ${worked.code}, its last words: ${worked.output.slice(-300)}` };
  }

  async stop(): Promise<void> {
    await this.#guest?.stop();
    this.#guest = undefined;
    rmSync(this.#disk, { force: true });
  }

  async #ready(): Promise<Guest> {
    if (this.#guest?.alive) return this.#guest;
    await this.stop();
    writeFileSync(this.#disk, "");
    truncateSync(this.#disk, DISK_BYTES);
    const { image, modules } = this.#target;
    const drivers = modules === undefined ? {} : { modules: { tree: modules, names: ["virtio_pci", "virtio_blk"] } };
    this.#guest = await boot(this.#task, { image, memory: 1024, cpus: this.#cpus, disks: [this.#disk], cache: this.#cache, ...drivers });
    const { output } = await this.#guest.run(WORKLOAD, { timeoutMs: LONGEST_MS });
    this.#printed = output;
    await this.#guest.run(BACKGROUND);
    return this.#guest;
  }
}

const SETTLED = `i=0; while grep -q 1 /sys/kernel/livepatch/*/transition; do i=$((i+1)); [ $i -lt 600 ] || exit 1; usleep 100000; done`;

/** Tasks that are still on the old side of a transition. */
const BLOCKERS = `for p in /sys/kernel/livepatch/*; do [ "$(cat $p/transition)" = 1 ] && to=$(cat $p/enabled); done
cd /proc; for t in [0-9]*/task/[0-9]*; do read -r s <$t/patch_state || continue; [ "$s" = $((1 - to)) ] || continue
read -r n <$t/comm; echo "$n"; cat $t/stack; done 2>/dev/null | head -40; true`;

/**
 * The one that came first goes first, which is the harder order: the others, and modules that came meanwhile, stay. /proc/modules has the last one first.
 */
const TAKE_OUT = `for n in $(grep -o '^livepatch_[^ ]*' /proc/modules | tac); do echo 0 >/sys/kernel/livepatch/$n/enabled || exit 1
i=0; while ! rmmod $n 2>/dev/null; do i=$((i+1)); [ $i -lt 600 ] || { echo "$n does not go"; exit 1; }; usleep 100000; done; done; ls /sys/kernel/livepatch | grep . && exit 1; true`;

const OUT_OF_EFFECT = `for n in $(grep -o '^livepatch_[^ ]*' /proc/modules | tac); do echo 0 >/sys/kernel/livepatch/$n/enabled || exit 1
i=0; while [ -e /sys/kernel/livepatch/$n ]; do i=$((i+1)); [ $i -lt 600 ] || { echo "$n does not end"; exit 1; }; usleep 100000; done; done`;

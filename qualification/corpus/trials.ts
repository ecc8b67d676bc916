/** Tries livepatches one after the other on one guest, which is booted anew when something went wrong in it. */

import { SutureError } from "@suture/errors";
import { boot, type Guest, loadOrder, trial } from "@suture/lab";
import type { Target } from "@suture/sources";
import type { Task } from "@suture/task";
import type { Result } from "../kept.ts";
import type { Built, FixResult } from "./build.ts";

/** A guest is used for so many trials: modules pile up in it. */
const TRIALS_PER_GUEST = 60;

export class Trials {
  readonly #task: Task;
  readonly #target: Target;
  readonly #cache: string;
  #guest: Guest | undefined;
  #count = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(task: Task, target: Target, cache: string) {
    this.#task = task;
    this.#target = target;
    this.#cache = cache;
  }

  /** Waits for the trial before, then starts this one. */
  async add(built: FixResult, module: string, done: (result: Result) => void): Promise<void> {
    await this.#running;
    this.#running = this.#try(built, module).then(done);
  }

  async finish(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    await this.#guest?.stop();
    this.#guest = undefined;
  }

  /** A guest that is lost between two trials is no fault of the livepatch: once more on a new one. */
  async #try(built: FixResult, module: string): Promise<Result> {
    try {
      return await this.#tryOnce(built, module);
    } catch (error) {
      this.#task.check();
      if (!(error instanceof SutureError)) throw error;
      await this.stop();
    }
    try {
      return await this.#tryOnce(built, module);
    } catch (error) {
      this.#task.check();
      if (!(error instanceof SutureError)) throw error;
      await this.stop();
      return { ...built, good: false, outcome: "lost", code: error.code, why: error.message.split("\n", 1)[0] };
    }
  }

  async #tryOnce(built: FixResult, module: string): Promise<Result> {
    const guest = await this.#ready();
    this.#count++;
    const modules: Built["modules"] = [];
    for (const { name } of built.more.modules) modules.push({ name, loaded: await this.#load(guest, name) });
    const report = await trial(this.#task, guest, { module, probes: [] });
    if (!["passed", "refused"].includes(report.outcome)) await this.stop();
    const why = report.failure?.why ?? report.events[0]?.headline;
    return {
      ...built,
      good: report.outcome === "passed",
      outcome: report.outcome,
      why,
      more: { ...built.more, modules, transitionMs: report.patchMs },
    };
  }

  async #ready(): Promise<Guest> {
    if (this.#guest === undefined || !this.#guest.alive || this.#count >= TRIALS_PER_GUEST) {
      await this.stop();
      this.#count = 0;
      this.#guest = await boot(this.#task, { image: this.#target.image, memory: 1024, cache: this.#cache });
    }
    return this.#guest;
  }

  /** A module that finds no device may refuse to be loaded. */
  async #load(guest: Guest, name: string): Promise<boolean> {
    if (this.#target.modules === undefined) return false;
    for (const { name: each, data } of await loadOrder(this.#task, this.#target.modules, [name])) {
      const there = await guest.run(`grep -q '^${each} ' /proc/modules`);
      if (there.code === 0) continue;
      await guest.put("/run/module.ko", data);
      const loaded = await guest.run("insmod /run/module.ko");
      if (loaded.code !== 0) return false;
    }
    return true;
  }
}

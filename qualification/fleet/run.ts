/**
 * Ten thousand machines follow one signed repository. Each has an id and a memory of its own and decides by the agent's own code; what is published is signed
 * and verified as everywhere. Nothing is loaded anywhere: that a machine takes a livepatch is what it decided.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decide, type Facts, type Truth } from "@suture/agent";
import { type AgentMemory, lineOf } from "@suture/protocol";
import { SignedFolder } from "@suture/testkit/signed-folder";
import { recall, refresh, sourceOf, TrustStore } from "@suture/trust";
import { COMMON } from "../options.ts";
import type { Found, Run, RunContext } from "../run.ts";

const LINE = { release: "6.1.0-1-simulated", buildId: "5a".repeat(20) };
const SHARES = [100, 1000, 5000, 10_000] as const;
/** So many standard deviations from the share that was asked for are chance: one roll-out in two million is further off. */
const DEVIATIONS = 5;

class Machine {
  readonly #facts: Facts;
  #memory: AgentMemory = { "suture-agent-memory": 1, counters: {}, soak: null, accepted: [], refused: [] };

  constructor(n: number) {
    this.#facts = {
      machineId: createHash("md5").update(`machine ${n}`).digest("hex"),
      ...LINE,
      bootId: "one",
      zone: "UTC",
      fleet: "simulated",
      channel: "stable",
      labels: [],
      windows: [],
      soakSeconds: 0,
      hold: undefined,
      watched: false,
      off: false,
      moving: undefined,
      present: [],
      kept: [],
      keptElsewhere: [],
    };
  }

  has(sha256: string): boolean {
    return this.#memory.accepted.some((one) => one.sha256 === sha256);
  }

  /** One run: what it would load it has loaded and kept, what it would take out is out. */
  run(truth: Truth, now: Date): void {
    const { accepted } = this.#memory;
    const here = accepted.map(({ name, sha256 }) => ({ name, sha256, inEffect: true, quarantine: undefined }));
    for (const step of decide({ ...this.#facts, present: here, kept: here }, truth, this.#memory, now).steps) {
      if (step.do === "take out")
        this.#memory = { ...this.#memory, accepted: this.#memory.accepted.filter((one) => one.sha256 !== step.sha256) };
      if (step.do !== "load") continue;
      const { sha256, custom } = step.offer;
      const { name, counter, kernel } = custom;
      this.#memory = {
        ...this.#memory,
        counters: { [lineOf(kernel)]: counter },
        accepted: [{ sha256, name, release: kernel.release, counter, at: now.toISOString() }],
      };
    }
  }
}

interface Fleet {
  machines: readonly Machine[];
  repository: SignedFolder;
  /** What is published is what all see, and all look once. */
  everyoneRuns: () => Promise<void>;
}

async function fleetOf(context: RunContext, folder: string, count: number): Promise<Fleet> {
  const repository = new SignedFolder(join(folder, "repository"), LINE, "simulated");
  const machines = Array.from({ length: count }, (_, n) => new Machine(n));
  const root = readFileSync(join(repository.folder, "metadata/1.root.json"));
  const store = await TrustStore.create(join(folder, "store"), root);
  const source = sourceOf(repository.folder);
  return {
    machines,
    repository,
    everyoneRuns: async () => {
      repository.publish();
      const asked = { store, now: new Date(), buildId: LINE.buildId };
      const { policy, withdrawals, patches, at } = await refresh(context.task, asked, [source]).catch(() => recall(context.task, asked));
      const truth: Truth = { policy, withdrawals, offers: patches, expired: undefined, announced: undefined };
      for (const machine of machines) machine.run(truth, at);
    },
  };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** One livepatch to ever more of them, then held, then withdrawn. */
async function rolledOut(context: RunContext, count: number, salt: string): Promise<{ found: Found; first: Set<number> }> {
  const folder = mkdtempSync(join(tmpdir(), "suture-fleet-"));
  try {
    const { machines, repository, everyoneRuns } = await fleetOf(context, folder, count);
    const bytes = Buffer.from(`livepatch with ${salt}`);
    repository.add({ name: "fix", bytes, counter: 1, replace: true }, { salt, rings: [{ label: "all", share: 0 }] });
    const rollout = repository.rollouts[0];
    if (rollout === undefined) throw new Error("nothing is rolled out");
    const having = (): Set<number> => new Set(machines.flatMap((machine, n) => (machine.has(sha256(bytes)) ? [n] : [])));
    const wrong: string[] = [];
    const took: Record<string, number> = {};
    await everyoneRuns();
    if (having().size !== 0) wrong.push(`${having().size} took it at 0 %`);
    let before = new Set<number>();
    let first = before;
    for (const share of SHARES) {
      rollout.rings = [{ label: "all", share }];
      rollout.state = "held";
      await everyoneRuns();
      if (having().size !== before.size) wrong.push(`${having().size - before.size} took it while it was held`);
      rollout.state = "rolling";
      await everyoneRuns();
      const now = having();
      const p = share / 10_000;
      if (Math.abs(now.size - count * p) > DEVIATIONS * Math.sqrt(count * p * (1 - p)))
        wrong.push(`${now.size} of ${count} took it at ${share / 100} %`);
      if ([...before].some((n) => !now.has(n))) wrong.push(`some that had it at less have it no more at ${share / 100} %`);
      took[`${share / 100} %`] = now.size;
      if (share === 1000) first = now;
      // How evenly: of a hundred blocks of neighbours.
      if (share === 5000) took["at 50 %, in the hundredth with the fewest"] = Math.min(...blocks(now, count));
      if (share === 5000) took["at 50 %, in the hundredth with the most"] = Math.max(...blocks(now, count));
      before = now;
    }
    repository.withdraw("fix");
    await everyoneRuns();
    if (having().size !== 0) wrong.push(`${having().size} have it after it was withdrawn`);
    return {
      found: {
        good: wrong.length === 0,
        outcome: JSON.stringify(took),
        ...(wrong.length === 0 ? {} : { why: wrong.join("; ") }),
        more: took,
      },
      first,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function blocks(of: ReadonlySet<number>, count: number): number[] {
  const size = count / 100;
  return Array.from(
    { length: 100 },
    (_, block) => Array.from({ length: size }, (_, i) => block * size + i).filter((n) => of.has(n)).length,
  );
}

export const fleet: Run = {
  name: "fleet",
  what: "simulated machines decide by the agent's code upon one signed repository, at 1, 10, 50 and 100 %",
  words: { limit: { ...COMMON.limit, what: "so many machines, by hundreds", is: "10000", short: "10000" } },
  async run(context) {
    const count = context.options.number("limit");
    const firsts: Set<number>[] = [];
    for (const salt of ["00", "a7"].map((byte) => byte.repeat(16)))
      await context.item(`salt ${salt.slice(0, 2)}...`, async () => {
        const { found, first } = await rolledOut(context, count, salt);
        firsts.push(first);
        return found;
      });
    const [one, two] = firsts;
    if (one === undefined || two === undefined) return;
    await context.item("the same ones first", async () => {
      const both = [...one].filter((n) => two.has(n)).length;
      const by = (one.size * two.size) / count;
      return {
        good: Math.abs(both - by) < DEVIATIONS * Math.sqrt(by),
        outcome: `${both} are among the first tenth with both salts; by chance ${Math.round(by)} are`,
      };
    });
  },
};

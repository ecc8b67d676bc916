/** Ten thousand machines that decide and report by the agent's own code follow the real server, and roll-outs that go well or do not. */
import { COMMON } from "../options.ts";
import type { Run, RunContext } from "../run.ts";
import { raced } from "./races.ts";
import { played, SCENARIOS } from "./scenarios.ts";
import { World } from "./world.ts";

const LEAST = 1000;

export const simulatedFleet: Run = {
  name: "simulated-fleet",
  what: "ten thousand machines by the agent's own code follow the real server: bad livepatches, silence, a cut network; approve and hold raced",
  needs: { "/usr/lib/postgresql": "postgresql" },
  words: {
    seed: COMMON.seed,
    machines: { value: "N", what: "in the fleet", is: "10000", short: "2000" },
    good: { value: "N", what: "so many good roll-outs, none of which may be halted", is: "20", short: "1" },
    bad: { value: "N", what: "so many of each other kind", is: "3", short: "1" },
    races: { value: "N", what: "so many times a hold is raced with approvals and a start", is: "1000", short: "20" },
  },
  async run(context) {
    const { options } = context;
    await races(context, options.number("races"));
    let world: World | undefined;
    try {
      for (const [s, scenario] of SCENARIOS.entries()) {
        const count = options.number(scenario.name === "good" ? "good" : "bad");
        for (let n = 1; n <= count; n++) {
          const name = `${scenario.name} ${n}`;
          await context.item(name, async () => {
            world ??= await World.begin(context.task, Math.max(LEAST, options.number("machines")));
            return played(world, scenario, `r-${s}-${n}`, options.number("seed") * 10_000 + s * 1000 + n);
          });
        }
      }
    } finally {
      await world?.close();
    }
    context.more = sums(context);
  },
};

const PART = 100;

async function races(context: RunContext, count: number): Promise<void> {
  for (let from = 0; from < count; from += PART) {
    const many = Math.min(PART, count - from);
    await context.item(`races ${from + 1} to ${from + many}`, () => raced(many));
  }
}

/** Of each kind the greatest number that was ever exposed. */
function sums({ kept, names }: RunContext): Record<string, unknown> {
  const found: Record<string, { roll_outs: number; halted: number; mostExposed: number; mostHarmed: number; longestMinutes: number }> = {};
  for (const { name, more } of kept.all) {
    const { scenario, halts, exposedEver, harmed, minutes } = (more ?? {}) as Record<string, unknown>;
    if (!names.has(name) || typeof scenario !== "string") continue;
    const sum = found[scenario] ?? { roll_outs: 0, halted: 0, mostExposed: 0, mostHarmed: 0, longestMinutes: 0 };
    found[scenario] = {
      roll_outs: sum.roll_outs + 1,
      halted: sum.halted + Number(halts),
      mostExposed: Math.max(sum.mostExposed, Number(exposedEver)),
      mostHarmed: Math.max(sum.mostHarmed, Number(harmed)),
      longestMinutes: Math.max(sum.longestMinutes, Number(minutes)),
    };
  }
  return found;
}

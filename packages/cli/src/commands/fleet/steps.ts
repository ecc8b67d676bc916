/** What is done to a roll-out. */
import { readFile } from "node:fs/promises";
import { APPROVABLE, fleetStepDocument, rolloutStepSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import { Option } from "commander";
import type { Answer } from "../../answer.ts";
import { fail } from "../../errors.ts";
import { safeText } from "../../text.ts";
import { type Add, askFleet } from "./server.ts";

async function done(task: Task, rollout: string, step: string, path: string, body: object): Promise<Answer> {
  const answer = await askFleet(task, rolloutStepSchema, path, body);
  const published = "published" in answer ? answer.published : undefined;
  const needed = "needed" in answer ? answer.needed : undefined;
  const more =
    published === false
      ? ": decided, and out as soon as the server can publish it"
      : needed === undefined
        ? ""
        : `: ${needed} more are needed`;
  return { document: fleetStepDocument.of({ rollout, step, published, needed }), text: safeText(`${rollout}: ${step}${more}`) };
}

const pathOf = (id: string, step: string): string => `v1/rollouts/${encodeURIComponent(id)}/${step}`;

export const plan: Add = (fleet, run) => {
  fleet
    .command("plan")
    .description("a new roll-out, as a file of JSON says it (docs/fleet.md); nothing happens before it is approved and started")
    .argument("<file>", "with the plan")
    .action(
      run(async (task, file: string) => {
        let body: unknown;
        try {
          body = JSON.parse(await readFile(file, "utf8"));
        } catch (cause) {
          throw fail("CLI_FILE", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
        }
        if (typeof body !== "object" || body === null || !("id" in body)) throw fail("CLI_FILE", "it is no plan: it has no id", { file });
        return done(task, String(body.id), "planned", "v1/rollouts", body);
      }),
    );
};

export const approve: Add = (fleet, run) => {
  fleet
    .command("approve")
    .description("your word to the next step of a roll-out")
    .argument("<id>", "of the roll-out")
    .addOption(new Option("--step <what>", "start is going on as well").choices(APPROVABLE).default("start"))
    .action(
      run(async (task, id: string, { step }: { step: string }) =>
        done(task, id, `${step} approved`, pathOf(id, "approve"), { what: step }),
      ),
    );
};

const STEPS = [
  ["start", "its first stage begins"],
  ["hold", "nothing more is loaded by it"],
  ["resume", "it goes on, when that was approved anew"],
  ["promote", "all machines of the channel take it from now on"],
  ["withdraw", "nothing is loaded by it any more, for ever"],
] as const;

export const steps: readonly Add[] = STEPS.map(([step, what]) => (fleet, run) => {
  fleet
    .command(step)
    .description(what)
    .argument("<id>", "of the roll-out")
    .requiredOption("--why <text>", "for the audit")
    .action(run(async (task, id: string, { why }: { why: string }) => done(task, id, step, pathOf(id, step), { why })));
});

export const skip: Add = (fleet, run) => {
  fleet
    .command("skip")
    .description("the next stage begins now, when that was approved")
    .argument("<id>", "of the roll-out")
    .requiredOption("--stage <number>", "the one that is on, from 0")
    .requiredOption("--why <text>", "for the audit")
    .action(
      run(async (task, id: string, { stage, why }: { stage: string; why: string }) => {
        if (!/^\d{1,3}$/.test(stage)) throw fail("CLI_USAGE", `--stage ${stage} is no number`);
        return done(task, id, "skip", pathOf(id, "skip"), { why, stage: Number(stage) });
      }),
    );
};

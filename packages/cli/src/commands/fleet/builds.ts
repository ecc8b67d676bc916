/** Livepatches that are built for the fleet's kernels. */
import {
  type FleetBuild,
  fleetBuildDocument,
  fleetBuildsDocument,
  fleetBuildsSchema,
  fleetBuildWholeSchema,
  newBuildAnswerSchema,
  rolloutStepSchema,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import { Argument } from "commander";
import { fail } from "../../errors.ts";
import { fieldsText, headedText, partsText, safeText, tableText } from "../../text.ts";
import { type Add, askFleet } from "./server.ts";

export const builds: Add = (fleet, run) => {
  fleet
    .command("builds")
    .description("livepatches that are built for the fleet's kernels, and what each kernel wants; of one, what its builder printed")
    .argument("[id]", "of a build")
    .action(run(async (task, id: string | undefined) => (id === undefined ? all(task) : one(task, id))));
};

const cells = ({ id, release, targetRelease, state, stage, why, published, machines }: FleetBuild): string[] => [
  id,
  release,
  targetRelease,
  published ? "published" : state,
  String(machines),
  stage === "" ? why : stage,
];

async function all(task: Task) {
  const found = await askFleet(task, fleetBuildsSchema, "v1/builds");
  while (found.next !== null) {
    const { builds: older, next } = await askFleet(task, fleetBuildsSchema, `v1/builds?before=${encodeURIComponent(found.next)}`);
    found.builds.push(...older);
    found.next = next;
  }
  const text = partsText([
    found.keepReady
      ? "Wherever the fleet has a kernel, a livepatch to the newest of its series is kept ready."
      : "What is built somebody has asked for.",
    found.builders.length > 0
      ? headedText(
          "builders",
          tableText(
            ["builder", "heard of", "kernels"],
            found.builders.map((one) => [one.name, one.seen, String(one.kernels)]),
          ),
        )
      : "No builder was heard of within a day: nothing is built.",
    headedText(
      "kernels",
      tableText(
        ["kernel", "machines", "newest", "state", "why"],
        found.kernels.map(({ release, machines, newest, state, why }) => [release, String(machines), newest?.release ?? "", state, why]),
      ),
    ),
    headedText("builds", tableText(["build", "kernel", "to", "state", "machines", ""], found.builds.map(cells))),
  ]);
  return { document: fleetBuildsDocument.of(found), text: safeText(text) };
}

const pathOf = (id: string): string => `v1/builds/${encodeURIComponent(id)}`;

async function one(task: Task, id: string) {
  const found = await askFleet(task, fleetBuildWholeSchema, pathOf(id));
  const { release, targetRelease, state, why, mend, folder, sha256, trial, builder } = found.build;
  const text = partsText([
    fieldsText([
      ["build", id],
      ["kernel", release],
      ["brings", targetRelease],
      ["state", `${state}: ${why}`],
      ["do", mend],
      ["folder", folder ?? ""],
      ["SHA-256", sha256 ?? ""],
      ["trial", trial ?? ""],
      ["builder", builder ?? ""],
    ]),
    headedText("what its builder printed", found.log.trimEnd()),
  ]);
  return { document: fleetBuildDocument.of(found), text: safeText(text) };
}

export const keepReady: Add = (fleet, run) => {
  fleet
    .command("keep-ready")
    .description("wherever the fleet has a kernel, a livepatch to the newest of its series is built by itself, or no more")
    .addArgument(new Argument("<word>", "from now on").choices(["on", "off"]))
    .action(
      run(async (task, word: string) => {
        await askFleet(task, rolloutStepSchema, "v1/builds/setting", { keepReady: word === "on" });
        return all(task);
      }),
    );
};

/** @param kernel its release or build-id. @throws CLI_USAGE */
async function buildIdOf(task: Task, kernel: string): Promise<string> {
  const { kernels } = await askFleet(task, fleetBuildsSchema, "v1/builds");
  const found = kernels.filter(({ release, buildId }) => kernel === release || kernel === buildId);
  const [first] = found;
  if (first === undefined) throw fail("CLI_USAGE", `no machine of the fleet runs ${kernel}: \`suture fleet builds\` lists its kernels`);
  if (found.length > 1)
    throw fail(
      "CLI_USAGE",
      `${kernel} is the release of several kernels; one is named by its build-id: ${found.map(({ buildId }) => buildId).join(", ")}`,
    );
  return first.buildId;
}

interface BuildOptions {
  to?: string;
  take?: string[];
  leaveOut?: string[];
  acceptDoubt?: string[];
  acceptData?: string[];
  redirect?: string[];
  hole?: string[];
  why: string;
}

export const build: Add = (fleet, run) => {
  fleet
    .command("build")
    .description("a livepatch is to be built that brings a kernel of the fleet to the level of a newer release")
    .argument("<kernel>", "its release, or its build-id where several have that release")
    .option("--to <release>", "the newer one; the newest of its series unless given")
    .option("--take <unit...>", "only these units, and what they need")
    .option("--leave-out <unit...>", "units that are not to go in: by id, commit, or a file or folder that they change")
    .option("--accept-doubt <unit...>", "units that go in though they may be halves of fixes: somebody has read them")
    .option("--accept-data <variable...>", "as of `suture catch-up`: OBJECT:VARIABLE")
    .option("--redirect <function...>", "as of `suture catch-up`: OBJECT:FUNCTION")
    .option("--hole <member...>", "as of `suture catch-up`: TYPE.MEMBER")
    .requiredOption("--why <text>", "for the audit")
    .action(
      run(async (task, kernel: string, options: BuildOptions) => {
        const buildId = await buildIdOf(task, kernel);
        const { id } = await askFleet(task, newBuildAnswerSchema, "v1/builds", { buildId, ...options });
        return one(task, id);
      }),
    );
};

const STEPS = [
  ["cancel-build", "cancel", "one that waits or is being built is given up"],
  ["repeat-build", "again", "one that came to nothing, or is not to be trusted, is built again"],
] as const;

export const buildSteps: readonly Add[] = STEPS.map(([word, step, what]) => (fleet, run) => {
  fleet
    .command(word)
    .description(what)
    .argument("<id>", "of a build")
    .requiredOption("--why <text>", "for the audit")
    .action(
      run(async (task, id: string, { why }: { why: string }) => {
        await askFleet(task, rolloutStepSchema, `${pathOf(id)}/${step}`, { why });
        return one(task, id);
      }),
    );
});

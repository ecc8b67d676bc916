/** Livepatches that are built for the fleet's kernels. */
import {
  type FleetBuild,
  fleetBuildDocument,
  fleetBuildsDocument,
  fleetBuildsSchema,
  fleetBuildWholeSchema,
  rolloutStepSchema,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import { Argument } from "commander";
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
    found.next === null ? "" : "There are older ones, on the server's page.",
  ]);
  return { document: fleetBuildsDocument.of(found), text: safeText(text) };
}

async function one(task: Task, id: string) {
  const found = await askFleet(task, fleetBuildWholeSchema, `v1/builds/${encodeURIComponent(id)}`);
  const { release, targetRelease, state, why, mend, folder, sha256, trial, builder } = found.build;
  const text = partsText([
    fieldsText([
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

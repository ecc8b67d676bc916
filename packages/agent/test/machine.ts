/** A made-up machine whose agent follows a repository in a folder: what it is asked and told are files. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Machine } from "@suture/host";
import type { AgentConfiguration } from "@suture/protocol";
import { folderInMemory } from "@suture/testkit/folders";
import { SignedFolder } from "@suture/testkit/signed-folder";
import { readConfiguration } from "../src/configuration.ts";
import { KERNEL } from "./truths.ts";

/** An ELF note with a build-id, as /sys/kernel/notes has it. */
function notesOf(buildId: string): string {
  const id = Buffer.from(buildId, "hex");
  const head = Buffer.alloc(16);
  head.writeUInt32LE(4, 0);
  head.writeUInt32LE(id.length, 4);
  head.writeUInt32LE(3, 8);
  head.write("GNU\0", 12, "latin1");
  return Buffer.concat([head, id]).toString("latin1");
}

export function change(machine: Machine, path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(machine.path(path)), { recursive: true });
  writeFileSync(machine.path(path), bytes);
}

export interface Following {
  machine: Machine;
  repository: SignedFolder;
  /** With other words in it than it was set up with. */
  configured: (more?: object) => Promise<AgentConfiguration>;
}

/** The folder of its repository is the only place that it is told of. Nothing is published yet. */
export function following(): Following {
  const root = folderInMemory({
    "proc/sys/kernel/osrelease": `${KERNEL.release}\n`,
    "proc/sys/kernel/random/boot_id": "this boot\n",
    "proc/cmdline": "quiet\n",
    "proc/modules": "",
    "sys/kernel/notes": notesOf(KERNEL.buildId),
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
  });
  const machine = new Machine(root);
  const repository = new SignedFolder(join(root, "repository"), KERNEL, "prod");
  change(machine, "/etc/suture/root.json", readFileSync(join(repository.folder, "metadata/1.root.json")));
  const configured = (more: object = {}): Promise<AgentConfiguration> => {
    const words = { "suture-agent": 1, fleet: "prod", repositories: [`file://${repository.folder}`], ...more };
    change(machine, "/etc/suture/agent.json", JSON.stringify(words));
    return readConfiguration(machine);
  };
  return { machine, repository, configured };
}

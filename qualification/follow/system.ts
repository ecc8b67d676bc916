/** Debian with packages of ours, as an image of a system comes. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { makeDebs } from "../debs/run.ts";
import { bareSystem, copyOf, within } from "../fresh/root.ts";
import { INCLUDE, imageOf } from "../guest/system.ts";
import type { RunContext } from "../run.ts";

const SYSTEM = { name: "Debian 12", suite: "bookworm", node: "none" };
const VERSION = "0.1.0";
/** Where packages lie that are not installed yet. */
export const DEBS = "/root/debs";

export interface Furnished {
  name: string;
  /** Of Debian's. */
  packages: readonly string[];
  /** Of ours; those of `brought` are left to be installed. */
  ours: readonly string[];
  brought: readonly string[];
  /** Bytes */
  size?: number;
}

/** A machine that follows has no server. */
export const FOLLOWS: Furnished = { name: "follows", packages: ["iproute2"], ours: ["suture-node", "suture", "suture-agent"], brought: [] };

/** @param image the disk, which is made. @returns it */
export async function systemWith(context: RunContext, image: string, { name, packages, ours, brought, size }: Furnished): Promise<string> {
  const work = join(context.cache, "fresh");
  const root = join(work, `${SYSTEM.suite}-${name}-${process.pid}`);
  const log = join(context.folder, `${name}.log`);
  writeFileSync(log, "");
  try {
    copyOf(bareSystem(SYSTEM, work), root);
    mkdirSync(join(root, DEBS));
    const files = makeDebs(join(root, DEBS), VERSION).map((file) => `${DEBS}/${basename(file)}`);
    const those = (names: readonly string[]): string[] => files.filter((file) => names.some((one) => basename(file).startsWith(`${one}_`)));
    const apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends";
    const left = files.filter((file) => !those(brought).includes(file));
    const steps = [
      "apt-get -qq update",
      `${apt} install ${[...INCLUDE, ...packages].join(" ")}`,
      `${apt} install ${those(ours).join(" ")}`,
      `rm ${left.join(" ")}`,
      // Each machine that is made of the image has one of its own.
      ": >/etc/machine-id; rm -f /var/lib/dbus/machine-id",
    ];
    const { code, text } = await within(root, "root", steps.join(" && "), log);
    context.task.check();
    if (code !== 0) throw new Error(`the packages cannot be installed: ${text.slice(-2000)}`);
    await imageOf(context.task, root, image, size);
    return image;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

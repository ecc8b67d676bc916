/**
 * `npm run debs [-- --version V] [--out FOLDER]`: the packages for Debian, of what `npm run bundle` makes, by dpkg-deb alone. The same commit makes the
 * same bytes. suture-node is for systems whose own Node is too old.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unitTexts } from "@suture/host";
import { cacheRoot } from "@suture/sources";
import { buildDeb, Tree } from "./debs/deb.ts";
import { type Package, SUTURE, SUTURE_AGENT, SUTURE_BUILDER, SUTURE_FLEET, SUTURE_NODE, SUTURE_RELAY } from "./debs/packages.ts";
import { bundleFleet } from "./fleet-bundle.ts";
import { NODES, registryPackage } from "./nodes/binaries.ts";
import { thirdParty } from "./third-party.ts";

const root = join(import.meta.dirname, "..");
const AGENT_UNITS = join(root, "packages/agent/units");
const FLEET_UNITS = join(root, "apps/fleet/units");
/** What `suture install` has unless it is told otherwise: units of the package are used where they are the ones that it would write. */
const SETTLE_SECONDS = 300;
const PROGRAM = "/usr/bin/suture";
/** The folder of Debian 12 and 13 alike: in both, /lib is a link to /usr/lib. */
const UNITS = "/usr/lib/systemd/system";
/** The series that suture-node has. */
const NODE_SERIES = "22.";
const OURS = "Suture is under the Apache License, version 2.0: /usr/share/common-licenses/Apache-2.0.\n";

const { version: own } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const { values } = parseArgs({
  options: { version: { type: "string", default: own }, out: { type: "string", default: join(root, "dist") } },
});
const { version, out } = values;
const time = Number(process.env.SOURCE_DATE_EPOCH ?? git("log", "-1", "--format=%ct"));
const script = ({ name }: Package, file: string): string => readFileSync(join(import.meta.dirname, "debs", name, file), "utf8");
const scriptsOf = (one: Package): Record<string, string> =>
  Object.fromEntries(["postinst", "prerm", "postrm"].map((file) => [file, script(one, file)]));

function git(...args: string[]): string {
  return execFileSync("git", ["-C", root, ...args], { encoding: "utf8" }).trim();
}

/** The folder /usr/share/doc/NAME, as Debian has it. @param of the package's own version */
function addDoc(tree: Tree, { name }: Package, of: string, copyright: string): void {
  const when = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  const entry = `${name} (${of}) unstable; urgency=medium\n\n  * Built from the sources of this version.\n\n -- The Suture developers <suture@localhost.invalid>  ${when}\n`;
  tree.writeGzip(`usr/share/doc/${name}/changelog`, entry);
  tree.write(`usr/share/doc/${name}/copyright`, copyright);
}

function sutureDeb(scratch: string): string {
  execFileSync(process.execPath, ["--conditions=source", "--import", "tsx", "scripts/bundle.ts", scratch], { cwd: root, stdio: "pipe" });
  const bundle = join(scratch, "package");
  const tree = new Tree(join(scratch, "suture"));
  const copy = (from: string, to: string): void => cpSync(join(bundle, from), tree.path(to), { recursive: true });
  // It is started by /usr/bin/suture, which finds the Node that it needs.
  tree.write("usr/lib/suture/suture.mjs", readFileSync(join(bundle, "suture.mjs"), "utf8").replace(/^#!.*\n/, ""));
  for (const name of ["program.cjs", "machine.cjs", "c", "package.json"]) copy(name, `usr/lib/suture/${name}`);
  // What runs, without what only its developers use.
  const beside = "node_modules/iced-x86";
  for (const name of ["package.json", "iced_x86.js", "iced_x86_bg.wasm"]) copy(`${beside}/${name}`, `usr/lib/suture/${beside}/${name}`);
  const iced = readFileSync(join(bundle, beside, "LICENSE.txt"), "utf8");
  tree.write("usr/bin/suture", script(SUTURE, "command"), 0o755);
  for (const name of readdirSync(join(bundle, "man/man1")))
    tree.writeGzip(`usr/share/man/man1/${name}`, readFileSync(join(bundle, "man/man1", name), "utf8"));
  copy("completion/suture", "usr/share/bash-completion/completions/suture");
  copy("completion/_suture", "usr/share/zsh/vendor-completions/_suture");
  copy("completion/suture.fish", "usr/share/fish/vendor_completions.d/suture.fish");
  copy("schemas", "usr/share/suture/schemas");
  copy("docs", "usr/share/doc/suture/docs");
  copy("README.md", "usr/share/doc/suture/README.md");
  const third = readFileSync(join(bundle, "THIRD-PARTY.txt"), "utf8");
  const c = "The C in /usr/lib/suture/c, which becomes part of modules, is under the GPL, version 2: /usr/share/common-licenses/GPL-2.\n";
  addDoc(
    tree,
    SUTURE,
    version,
    `${OURS}${c}\nWith it go these packages, each under the licence that follows it.\n\niced-x86\n\n${iced}\n${"-".repeat(80)}\n\n${third}`,
  );
  for (const [name, text] of Object.entries(unitTexts([PROGRAM], SETTLE_SECONDS))) tree.write(`${UNITS}/${name}`, text);
  const hooks = ["/etc/kernel/postinst.d/zz-suture", "/etc/kernel/postrm.d/zz-suture"];
  for (const hook of hooks) tree.write(hook, script(SUTURE, "kernel-hook"), 0o755);
  return buildDeb(tree, { one: SUTURE, version, time, conffiles: hooks, scripts: scriptsOf(SUTURE) }, out);
}

function addUnits(tree: Tree, folder: string): void {
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), "utf8");
    tree.write(name.endsWith(".sysusers") ? `usr/lib/sysusers.d/${name.replace(".sysusers", ".conf")}` : `${UNITS}/${name}`, text);
  }
}

/** The fleet's program as each of its parts; a relay or a builder takes no database, and its program is started by its unit alone. */
async function fleetDebs(scratch: string): Promise<string[]> {
  const bundle = join(scratch, "fleet-bundle");
  const copyright = `${OURS}\nWith it go these packages, each under the licence that follows it.\n\n${thirdParty(await bundleFleet(bundle))}`;
  const debOf = (one: Package, part: string, command: string): string => {
    const { name } = one;
    const tree = new Tree(join(scratch, name));
    for (const file of readdirSync(bundle))
      if (one === SUTURE_FLEET || file !== "migrations")
        cpSync(join(bundle, file), tree.path(`usr/lib/${name}/${file}`), { recursive: true });
    tree.write(command, script(one, "command"), 0o755);
    const settings = `/etc/default/${name}`;
    tree.write(settings, script(one, "default"));
    addUnits(tree, join(FLEET_UNITS, part));
    // Of its key.
    if (one === SUTURE_BUILDER) mkdirSync(tree.path("etc/suture"));
    cpSync(join(root, "docs/fleet.md"), tree.path(`usr/share/doc/${name}/fleet.md`));
    addDoc(tree, one, version, copyright);
    return buildDeb(tree, { one, version, time, conffiles: [settings], scripts: scriptsOf(one) }, out);
  };
  return [
    debOf(SUTURE_FLEET, "server", "usr/bin/suture-fleet"),
    debOf(SUTURE_RELAY, "relay", "usr/lib/suture-relay/suture-relay"),
    debOf(SUTURE_BUILDER, "builder", "usr/lib/suture-builder/suture-builder"),
  ];
}

function agentDeb(scratch: string): string {
  const tree = new Tree(join(scratch, "suture-agent"));
  addUnits(tree, AGENT_UNITS);
  mkdirSync(tree.path("etc/suture"));
  addDoc(tree, SUTURE_AGENT, version, OURS);
  return buildDeb(tree, { one: SUTURE_AGENT, version, time, scripts: scriptsOf(SUTURE_AGENT) }, out);
}

function nodeDeb(scratch: string): string {
  const node = NODES.find((one) => one.version.startsWith(NODE_SERIES));
  if (node === undefined) throw new Error(`there is no Node ${NODE_SERIES} among those of nodes/binaries.ts`);
  const folder = registryPackage(node, join(cacheRoot(process.env), "nodes"));
  const tree = new Tree(join(scratch, "suture-node"));
  tree.write("usr/lib/suture-node/node", readFileSync(join(folder, "bin/node")), 0o755);
  addDoc(tree, SUTURE_NODE, node.version, readFileSync(join(folder, "LICENSE"), "utf8"));
  return buildDeb(tree, { one: SUTURE_NODE, version: node.version, time, level: 2 }, out);
}

const scratch = mkdtempSync(join(tmpdir(), "suture-debs-"));
try {
  for (const deb of [sutureDeb(scratch), agentDeb(scratch), ...(await fleetDebs(scratch)), nodeDeb(scratch)]) console.log(deb);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

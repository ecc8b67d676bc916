/** A folder that holds a bare Debian system: made by debootstrap, entered by chroot in namespaces of its own, which end with what runs in them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { NODES, NPM, registryPackage } from "../../scripts/nodes/binaries.ts";

export interface System {
  name: string;
  /** As the archive calls it. */
  suite: string;
  /** The series of Node that people are told to take there, `its own`, or `none`. */
  node: string;
}

/** What a bare system has besides its own: what the archive and a clone are fetched with. */
const INCLUDE = ["ca-certificates", "git"];
const OWN_NODE = ["nodejs", "npm"];
/** Folders of this machine's that lead to its archive and registry: certificates, keys. */
const CARRIED = [
  "/etc/ssl/certs",
  "/usr/local/share/ca-certificates",
  "/etc/apt/trusted.gpg.d",
  "/etc/apt/keyrings",
  "/etc/apt/auth.conf.d",
];
const CARRIED_ENV = /(^|_)proxy$|CERT|CA_BUNDLE|CAINFO/i;

export function say(text: string): void {
  console.log(`fresh: ${text}`);
}

export function output(argv: readonly string[]): string {
  const [program = "", ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${error?.message ?? status}: ${stderr}`);
  return stdout;
}

/** The bare system, in `folder`; made once and then only copied. */
export function bareSystem({ suite, node }: System, folder: string): string {
  const root = join(folder, `${suite}-${node === "none" ? "plain" : "bare"}`);
  if (existsSync(root)) return root;
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, "partial-"));
  const made = join(scratch, "root");
  try {
    const sources = archives(suite);
    const mirror = sources.find((source) => source.suite === suite)?.address;
    if (mirror === undefined) throw new Error(`apt of this machine names no archive that would have ${suite}`);
    say(`debootstrap ${suite} from ${mirror}`);
    output(["debootstrap", "--variant=minbase", `--include=${INCLUDE.join(",")}`, suite, made, mirror]);
    rmSync(join(made, "etc/apt/sources.list"), { force: true });
    writeFileSync(
      join(made, "etc/apt/sources.list.d/archive.list"),
      sources.map((source) => `deb ${source.address} ${source.suite} ${source.component}\n`).join(""),
    );
    // As an image of a system comes: without lists.
    rmSync(join(made, "var/lib/apt/lists"), { recursive: true });
    mkdirSync(join(made, "var/lib/apt/lists/partial"), { recursive: true });
    writeFileSync(join(made, "etc/apt/apt.conf.d/90carried"), aptSettings());
    for (const path of CARRIED)
      if (existsSync(path)) {
        mkdirSync(join(made, path), { recursive: true });
        output(["cp", "-r", "--dereference", "--remove-destination", "--no-target-directory", path, join(made, path)]);
      }
    if (node === "its own") addOwnNode(made);
    else if (node !== "none") addNode(made, node, join(folder, "nodes"));
    renameSync(made, root);
    return root;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What this machine's apt is told of Debian's own archives, said of another release. */
function archives(suite: string): { address: string; suite: string; component: string }[] {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(output(["cat", "/etc/os-release"]))?.[1] ?? "stable";
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  return output(["apt-get", "indextargets", "--format", format, "Created-By: Packages"])
    .split("\n")
    .flatMap((line) => {
      const [address = "", release = "", component = ""] = line.split("|");
      if (release !== codename && !release.startsWith(`${codename}-`)) return [];
      return [{ address, suite: suite + release.slice(codename.length), component }];
    });
}

/** How it reaches them. */
function aptSettings(): string {
  return output(["apt-config", "dump", "Acquire"])
    .split("\n")
    .filter((line) => /^Acquire::(https?|ftp|Check-|Retries|ForceIP)/i.test(line))
    .map((line) => `${line}\n`)
    .join("");
}

/** By apt, without what it only recommends, as the README has it. */
function addOwnNode(root: string): void {
  for (const file of ["/etc/resolv.conf", "/etc/hosts"]) copyFileSync(file, join(root, file));
  output(["chroot", root, "apt-get", "-qq", "update"]);
  output(["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "--no-install-recommends", ...OWN_NODE]);
  output(["chroot", root, "apt-get", "clean"]);
  output(["find", join(root, "var/lib/apt/lists"), "-type", "f", "-delete"]);
}

/** Node and npm, as its archive unpacks to /usr/local. */
function addNode(root: string, series: string, kept: string): void {
  const node = NODES.find(({ version }) => version.startsWith(`${series}.`));
  if (node === undefined) throw new Error(`there is no Node ${series} among those of nodes/binaries.ts`);
  const local = join(root, "usr/local");
  copyFileSync(join(registryPackage(node, kept), "bin/node"), join(local, "bin/node"));
  cpSync(registryPackage(NPM, kept), join(local, "lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));
  output(["chmod", "755", join(local, "bin/node"), join(local, "lib/node_modules/npm/bin/npm-cli.js")]);
}

/** A copy to be used up. */
export function copyOf(bare: string, root: string): void {
  rmSync(root, { recursive: true, force: true });
  output(["cp", "--archive", "--reflink=auto", bare, root]);
  for (const file of ["/etc/resolv.conf", "/etc/hosts"]) copyFileSync(file, join(root, file));
}

let inside: ChildProcess | undefined;

/** Ends what runs in a system. */
export function leave(): void {
  inside?.kill("SIGKILL");
}

export interface Ran {
  code: number;
  text: string;
  seconds: number;
}

/** The mounts are of a namespace that ends with the command, as all its processes do: nothing is left behind, whoever is killed. */
const ENTER = `set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
mount -t tmpfs tmpfs "$1/run"
exec chroot "$1" /usr/bin/env -i "\${@:4}" su --login --whitelist-environment="$3" "$2" --command "$COMMAND"`;

/** Runs a command line as a user of the system. What it prints goes into the file `log`, too. */
export function within(root: string, user: string, command: string, log: string): Promise<Ran> {
  const started = performance.now();
  const carried = Object.entries(process.env).filter(([name, value]) => CARRIED_ENV.test(name) && value !== undefined);
  const registry = output(["npm", "config", "get", "registry"]).trim();
  const variables: [string, string][] = [
    ["npm_config_registry", registry],
    ["npm_config_update_notifier", "false"],
    ...carried.map(([name, value]): [string, string] => [name, value ?? ""]),
  ];
  const names = variables.map(([name]) => name).join(",");
  const argv = [
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--propagation",
    "private",
    "bash",
    "-c",
    ENTER,
    "enter",
    root,
    user,
    names,
  ];
  const child = spawn("setpriv", [...argv, ...variables.map(([name, value]) => `${name}=${value}`)], {
    env: { PATH: process.env.PATH, COMMAND: command },
    stdio: ["ignore", "pipe", "pipe"],
  });
  inside = child;
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      appendFileSync(log, chunk);
    });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) =>
      resolve({ code: code ?? (signal === null ? 1 : 130), text, seconds: Math.round((performance.now() - started) / 1000) }),
    );
  });
}

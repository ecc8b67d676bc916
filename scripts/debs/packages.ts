/** What the packages for Debian are, besides their files. Names that Debian 13 changed stand beside the older ones. */

export interface Package {
  name: string;
  architecture: "all" | "amd64";
  depends: string[];
  recommends?: string[];
  suggests?: string[];
  section: string;
  /** One line, then lines of more. */
  summary: string;
  description: string[];
}

/** From here on all tests pass; Debian 12 has an older one. */
const OLDEST_NODE = "20.19";

export const SUTURE: Package = {
  name: "suture",
  architecture: "all",
  depends: [`nodejs (>= ${OLDEST_NODE}) | suture-node`, "kmod"],
  // To build and to try; a machine that only loads does without.
  recommends: [
    ...["gcc", "make", "patch", "libc6-dev", "binutils", "libelf1t64 | libelf1", "bc", "openssl"],
    ...["xz-utils", "zstd", "bzip2", "lz4", "qemu-system-x86", "busybox-static"],
  ],
  suggests: ["mokutil", "procps"],
  section: "admin",
  summary: "patches a running Linux kernel without a reboot",
  description: [
    "Suture turns a source fix into a livepatch module for exactly one kernel: it",
    "compiles the objects that the fix touches, proves byte for byte that they are",
    "what that kernel runs, and tries the module in a virtual machine. On the",
    "machine that runs it checks, loads, follows and undoes livepatches, and keeps",
    "them across reboots.",
  ],
};

export const SUTURE_AGENT: Package = {
  name: "suture-agent",
  architecture: "all",
  // VERSION is that of the package: it has no program of its own.
  depends: ["suture (= VERSION)", "systemd"],
  section: "admin",
  summary: "follows a signed repository of livepatches",
  description: [
    "Units that have Suture ask a signed repository for livepatches of the kernel",
    "that runs, load them in the machine's window, watch them, and take out what",
    "was withdrawn. Fetching is done by a user of its own without rights. Nothing",
    "is done until /etc/suture/agent.json names a repository.",
  ],
};

export const SUTURE_FLEET: Package = {
  name: "suture-fleet",
  architecture: "all",
  // Its programs: the server keeps a database of its own.
  depends: [`nodejs (>= ${OLDEST_NODE}) | suture-node`, "postgresql", "systemd", "util-linux"],
  recommends: ["suture"],
  suggests: ["nginx"],
  section: "admin",
  summary: "server of a fleet of machines with livepatches",
  description: [
    "Machines that follow a signed repository of livepatches report to this server.",
    "It shows which kernel each has, which CVEs are open where, and steers staged",
    "roll-outs that stop by themselves when machines fail or fall silent. It keeps",
    "a PostgreSQL of its own, and is reached on this machine alone until a web",
    "server with TLS stands in front of it.",
  ],
};

export const SUTURE_RELAY: Package = {
  name: "suture-relay",
  architecture: "all",
  depends: [`nodejs (>= ${OLDEST_NODE}) | suture-node`, "systemd", "util-linux"],
  suggests: ["nginx"],
  section: "admin",
  summary: "relay of a site for a fleet of machines with livepatches",
  description: [
    "Machines of a site that do not reach the fleet's server by themselves, or",
    "whose line fails at times, report to this relay: it keeps what they report",
    "until the server has it, and the files of the signed repository at hand.",
    "Nothing is done until /etc/default/suture-relay names the server.",
  ],
};

export const SUTURE_BUILDER: Package = {
  name: "suture-builder",
  architecture: "all",
  // It runs the command of the same release, which recommends what building and trying take.
  depends: ["suture (= VERSION)", `nodejs (>= ${OLDEST_NODE}) | suture-node`, "systemd", "util-linux"],
  section: "admin",
  summary: "builds livepatches for a fleet of machines",
  description: [
    "Takes from a fleet's server which livepatches are wanted, builds each, tries",
    "it in a virtual machine, and sends what came of it for people to read and",
    "sign. It runs as a user of its own, and holds no key that signs. Nothing is",
    "done until /etc/default/suture-builder names the server, and a key for it is",
    "in /etc/suture/builder-key.",
  ],
};

export const SUTURE_NODE: Package = {
  name: "suture-node",
  architecture: "amd64",
  depends: ["libc6 (>= 2.28)", "libgcc-s1 (>= 3.4)", "libstdc++6 (>= 9)"],
  section: "javascript",
  summary: "Node.js for Suture, where the system's own is too old",
  description: [
    "The program of Node.js that Suture runs with on systems whose own is older",
    `than ${OLDEST_NODE}, such as Debian 12. It is used by Suture alone: no command of`,
    "this name is added.",
  ],
};

export function controlOf(one: Package, version: string, installedKiB: number): string {
  const list = (field: string, names: readonly string[] = []): string => (names.length === 0 ? "" : `${field}: ${names.join(", ")}\n`);
  return `Package: ${one.name}
Version: ${version}
Architecture: ${one.architecture}
Maintainer: The Suture developers <suture@localhost.invalid>
Installed-Size: ${installedKiB}
${list(
  "Depends",
  one.depends.map((name) => name.replace("VERSION", version)),
)}${list("Recommends", one.recommends)}${list("Suggests", one.suggests)}Section: ${one.section}
Priority: optional
Description: ${one.summary}
${one.description.map((line) => ` ${line}`).join("\n")}
`;
}

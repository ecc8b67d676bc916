/** scripts/setup.sh on machines of every kind: the script is the real one, and the programs that it asks for the machine are stand-ins. */
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "../scripts/setup.sh");
const NODE = "v20.19.0";

/** As setup.sh lists them: the names of one package, with what it is for. */
const NEEDS = /^needs="\\\n([\s\S]*?)"$/m
  .exec(readFileSync(SCRIPT, "utf8"))?.[1]
  ?.split("\n")
  .map((row) => ({ names: row.split(" ")[0]?.split("|") ?? [], why: row.slice(row.indexOf(" ") + 1) }));
if (NEEDS === undefined) throw new Error("setup.sh has no list of packages");
const ALL: readonly number[] = NEEDS.map((_, i) => i);
const SUBSETS: readonly number[][] = [
  [],
  [...ALL],
  ...ALL.map((i) => [i]),
  ...ALL.map((i) => ALL.filter((j) => j !== i)),
  ...fc.sample(fc.subarray([...ALL]), { seed: 12, numRuns: 60 }),
];

/** Every third subset is met on a Debian after the renaming. */
const releaseFor = (i: number): "before" | "after" => (i % 3 === 1 ? "after" : "before");
type User = "root" | "sudo" | "sudo with a password" | "no sudo";

interface Machine {
  /** Places in the list. */
  installed: readonly number[];
  user: User;
  /** Which of its names a package has: of a release of Debian before the renaming, or after it. */
  release?: "before" | "after";
  /** What apt's lists are: none, too old for what is in the archive, or good. */
  lists?: "none" | "old" | "good";
  /** Whether apt asked for them within a week: so unless said. */
  asked?: boolean;
  node?: string;
  /** More lines of what dpkg-query prints. */
  more?: readonly string[];
  /** A program that fails, and how. */
  broken?: { program: string; script: string };
}

interface Outcome {
  code: number | null;
  said: string;
  /** What apt-get and npm were called with. */
  calls: string[];
  /** What is installed at the end, and is what it says. */
  installed: string[];
}

const TOOLS = ["bash", "awk", "grep", "cut", "tr", "readlink", "dirname", "tail", "cat", "cmp", "cp", "env", "mkdir", "true"];

/** Programs that read and write the state of the machine in the folder $WORLD. */
const STAND_INS: Readonly<Record<string, string>> = {
  dpkg: "echo amd64",
  "dpkg-query": 'cat "$WORLD/status"',
  "apt-cache": '[ "$1" = pkgnames ] || exit 1; [ ! -e "$WORLD/listed" ] || grep "^$2" "$WORLD/known" || true',
  find: '[ "$*" = "/var/lib/apt/lists/partial -maxdepth 0 -mtime -7" ] || exit 1; [ ! -e "$WORLD/asked" ] || echo "$1"',
  id: 'echo "$MACHINE_UID"',
  sudo: '[ "$MACHINE_SUDO" = yes ] && [ "$1" = -n ] || { echo "sudo: a password is required" >&2; exit 1; }; shift; MACHINE_UID=0 exec "$@"',
  node: '[ -n "$MACHINE_NODE" ] || exit 127; echo "$MACHINE_NODE"',
  npm: 'echo "npm $*" >>"$WORLD/calls"; mkdir -p node_modules',
  "apt-get": `echo "apt-get $*" >>"$WORLD/calls"
[ "$MACHINE_UID" = 0 ] || { echo "E: are you root?" >&2; exit 100; }
case "$1" in
  update) : >"$WORLD/listed"; : >"$WORLD/good" ;;
  install)
    for word in "$@"; do
      case "$word" in install | -* | DPkg::*) continue ;; esac
      [ -e "$WORLD/listed" ] && grep -qx "$word" "$WORLD/known" || { echo "E: Unable to locate package $word" >&2; exit 100; }
      [ -e "$WORLD/good" ] || { echo "E: Failed to fetch $word 404  Not Found" >&2; exit 100; }
      echo "$word installed amd64" >>"$WORLD/status"
    done ;;
esac`,
};

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "suture-setup-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nameOn = (i: number, release: "before" | "after"): string => NEEDS[i]?.names.at(release === "before" ? 0 : -1) ?? "";

async function setUp(machine: Machine): Promise<Outcome> {
  const { installed, user, release = "before", lists = "good", asked = true, node = NODE, more = [], broken } = machine;
  // The checkout is in a path as a person may have it.
  const root = join(folder, `${count++}`, "a checkout's $HOME, ü");
  const world = join(folder, `${count++}`);
  const bin = join(world, "bin");
  for (const path of [join(root, "scripts"), bin]) mkdirSync(path, { recursive: true });
  copyFileSync(SCRIPT, join(root, "scripts/setup.sh"));
  writeFileSync(join(root, "package-lock.json"), "{}\n");
  writeFileSync(join(world, "calls"), "");
  writeFileSync(join(world, "known"), ALL.map((i) => `${nameOn(i, release)}\n`).join(""));
  writeFileSync(
    join(world, "status"),
    [...installed.map((i) => `${nameOn(i, release)} installed amd64`), "bash installed amd64", ...more].map((l) => `${l}\n`).join(""),
  );
  if (lists !== "none") writeFileSync(join(world, "listed"), "");
  if (lists === "good") writeFileSync(join(world, "good"), "");
  if (asked) writeFileSync(join(world, "asked"), "");
  for (const tool of TOOLS) symlinkSync(join("/usr/bin", tool), join(bin, tool));
  const programs = { ...STAND_INS, ...(broken === undefined ? {} : { [broken.program]: broken.script }) };
  for (const [name, script] of Object.entries(programs)) {
    if ((name === "sudo" && user === "no sudo") || script === "") continue;
    rmSync(join(bin, name), { force: true });
    writeFileSync(join(bin, name), `#!/usr/bin/bash\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const env = {
    PATH: bin,
    WORLD: world,
    MACHINE_UID: user === "root" ? "0" : "1000",
    MACHINE_SUDO: user === "sudo" ? "yes" : "no",
    MACHINE_NODE: node,
  };
  const child = spawn("/usr/bin/bash", [join(root, "scripts/setup.sh")], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = (name: string): string[] => readFileSync(join(world, name), "utf8").split("\n").slice(0, -1);
  const whole = lines("status").filter((line) => line.endsWith(" installed amd64"));
  const outcome = { code, said, calls: lines("calls"), installed: whole.map((line) => line.split(" ")[0] ?? "") };
  rmSync(world, { recursive: true });
  return outcome;
}

/** In rows of some at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  await Promise.all(
    [1, 2, 3, 4].map(async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
    }),
  );
}

const INSTALL = "apt-get install -y --no-install-recommends";
const reasonsOf = (missing: readonly number[]): string => missing.map((i) => `${NEEDS[i]?.names[0]} (${NEEDS[i]?.why})`).join(", ");
const npmSaid = "setup: installing the node packages of package-lock.json\n";

test(`${SUBSETS.length} subsets of the packages are installed, as root and by sudo, before a renaming and after it`, async () => {
  const machines = SUBSETS.map((installed, i): Machine => ({ installed, user: i % 2 === 0 ? "root" : "sudo", release: releaseFor(i) }));
  await each(machines, async (machine) => {
    const release = machine.release ?? "before";
    const missing = ALL.filter((i) => !machine.installed.includes(i));
    const outcome = await setUp(machine);
    expect(outcome).toMatchObject({
      code: 0,
      said: `${missing.length === 0 ? "" : `setup: installing ${reasonsOf(missing)}\n`}${npmSaid}`,
    });
    const names = missing.map((i) => nameOn(i, release));
    const apt = names.length === 0 ? [] : [`${INSTALL} ${names.join(" ")} -o DPkg::Lock::Timeout=300`];
    expect(outcome.calls).toEqual([...apt, "npm ci --no-audit --no-fund --loglevel=error"]);
    expect([...outcome.installed].sort()).toEqual(["bash", ...ALL.map((i) => nameOn(i, release))].sort());
  });
}, 300_000);

test(`${SUBSETS.length} subsets: who may not install is told exactly what to type`, async () => {
  const machines = SUBSETS.map(
    (installed, i): Machine => ({ installed, user: i % 2 === 0 ? "no sudo" : "sudo with a password", release: releaseFor(i) }),
  );
  await each(machines, async (machine) => {
    const release = machine.release ?? "before";
    const missing = ALL.filter((i) => !machine.installed.includes(i));
    const outcome = await setUp(machine);
    if (missing.length === 0) return expect(outcome).toMatchObject({ code: 0, said: npmSaid });
    const command = `${INSTALL} ${missing.map((i) => nameOn(i, release)).join(" ")}`;
    const whole = machine.user === "no sudo" ? `apt-get update && ${command}` : `sudo apt-get update && sudo ${command}`;
    const lines = outcome.said.split("\n");
    expect(lines[0]).toBe(`setup: missing: ${reasonsOf(missing)}`);
    expect(lines.slice(2)).toEqual([`  ${whole}`, ""]);
    expect(outcome).toMatchObject({ code: 1, calls: [] });
  });
}, 300_000);

test("lists that are missing or too old are fetched, and only then", async () => {
  for (const lists of ["none", "old"] as const) {
    for (const release of ["before", "after"] as const) {
      const outcome = await setUp({ installed: [0, 2], user: "sudo", release, lists });
      expect(outcome.code).toBe(0);
      expect(outcome.calls.map((call) => call.split(" ").slice(0, 2).join(" "))).toEqual([
        "apt-get install",
        "apt-get update",
        "apt-get install",
        "npm ci",
      ]);
      expect(outcome.installed).toEqual(expect.arrayContaining(ALL.map((i) => nameOn(i, release))));
    }
  }
});

test("lists that nobody asked for within a week are fetched by who may, though all could be installed by them", async () => {
  const fetching = "setup: fetching apt's lists, which are older than a week\n";
  const called = ({ calls }: Outcome): string[] => calls.map((call) => call.split(" ").slice(0, 2).join(" "));
  for (const user of ["root", "sudo"] as const) {
    const whole = await setUp({ installed: ALL, user, asked: false });
    expect(whole).toMatchObject({ code: 0, said: `${fetching}${npmSaid}` });
    expect(called(whole)).toEqual(["apt-get update", "npm ci"]);
    expect(called(await setUp({ installed: [0], user, asked: false, lists: "old" }))).toEqual([
      "apt-get update",
      "apt-get install",
      "npm ci",
    ]);
  }
  for (const user of ["sudo with a password", "no sudo"] as const)
    expect(await setUp({ installed: ALL, user, asked: false })).toMatchObject({ code: 0, said: npmSaid });
  const offline = { program: "apt-get", script: "echo 'E: no network'; exit 100" };
  const { code, said } = await setUp({ installed: ALL, user: "root", asked: false, broken: offline });
  expect(code).toBe(0);
  expect(said).toBe(`${fetching}E: no network\nsetup: apt could not fetch all of its lists: kernels that are found may be old\n${npmSaid}`);
});

test("packages of another processor, half installed ones and removed ones are missing", async () => {
  const [first = 0, ...others] = ALL;
  const name = nameOn(first, "before");
  for (const state of ["installed i386", "half-configured amd64", "config-files amd64"]) {
    const outcome = await setUp({ installed: others, user: "no sudo", more: [`${name} ${state}`] });
    expect(outcome.code).toBe(1);
    expect(outcome.said).toContain(`&& ${INSTALL} ${name}\n`);
  }
  expect((await setUp({ installed: others, user: "no sudo", more: [`${name} installed all`] })).code).toBe(0);
});

test("a Node that is too old, or none, is refused with what to take; npm, too", async () => {
  for (const node of ["", "v18.20.4", "v20.18.3", "v8.17.0", "v2", "nonsense"]) {
    const { code, said } = await setUp({ installed: ALL, user: "root", node });
    expect(code).toBe(1);
    expect(said).toContain(`setup: Node 20.19 or newer is needed, found ${node || "none"}.`);
    expect(said).toContain("npm install -g node@22");
  }
  for (const node of ["v20.19.0", "v22.1.0", "v24.0.0", "v100.0.0"])
    expect((await setUp({ installed: ALL, user: "root", node })).code).toBe(0);
  const { code, said } = await setUp({ installed: ALL, user: "root", broken: { program: "npm", script: "" } });
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining("setup: npm is needed") });
});

test("it never ends without saying why, whatever fails", async () => {
  const programs = [...Object.keys(STAND_INS), "awk", "cp", "dirname"].filter((name) => !["sudo", "apt-cache", "find"].includes(name));
  for (const program of programs) {
    for (const script of ["exit 1", "exit 3", "kill -9 $$", "echo wrong; exit 7"]) {
      const outcome = await setUp({ installed: [1, 3], user: "root", broken: { program, script } });
      // An id that does not answer is not root's.
      expect(outcome.code, `${program}: ${script}`).not.toBe(0);
      expect(outcome.said, `${program}: ${script}`).toContain("setup: ");
    }
  }
  const idle = await setUp({ installed: [1], user: "root", broken: { program: "apt-get", script: "exit 0" } });
  expect(idle.code).toBe(1);
  expect(idle.said).toContain("these are still not installed: gcc ");
});

test("where node packages are those of the lock file and nothing is missing, it says and does nothing", async () => {
  const machine: Machine = { installed: ALL, user: "no sudo", broken: { program: "cmp", script: "exit 0" } };
  expect(await setUp(machine)).toMatchObject({ code: 0, said: "", calls: [] });
});

test("on another distribution it names what is needed, and goes on", async () => {
  const outcome = await setUp({ installed: [], user: "root", broken: { program: "dpkg-query", script: "" } });
  expect(outcome.code).toBe(0);
  expect(outcome.said).toContain(
    `setup: this is no Debian system; install by hand what these Debian packages hold: ${NEEDS[0]?.names[0]} `,
  );
});

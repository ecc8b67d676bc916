/**
 * `npm run fresh`: the two commands of the README, in bare Debian systems that hold Node, git and certificates and nothing else, as root, as a user
 * with sudo, and as a user with neither, who must be told exactly what to type. What is tested is the commit that is checked out. Needs root and
 * debootstrap. What passed is not done again for the same commit; `--quick` leaves `npm test` out, `--system SUITE` and `--user NAME` choose.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheRoot } from "@suture/sources";
import { bareSystem, copyOf, leave, output, type System, say, within } from "./fresh/root.ts";

const SYSTEMS: readonly System[] = [{ name: "Debian 12", suite: "bookworm", node: "22" }];
const USERS = ["root", "sudo", "neither"] as const;
type User = (typeof USERS)[number];

/** As the README has them. */
const COMMANDS = ["npm run demo", "npm test"] as const;
const LAST_LINES = 30;
const ACCOUNT = "somebody";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    system: { type: "string" },
    user: { type: "string" },
    /** The name of the folder that is cloned into, in the home folder. */
    folder: { type: "string", default: "suture" },
  },
});

const checkout = join(import.meta.dirname, "..");
const work = join(cacheRoot(process.env), "fresh");
const commit = output(["git", "-C", checkout, "rev-parse", "HEAD"]).trim();
/** Systems that are in use now. */
const used = new Set<string>();
const resultsFile = join(work, "passed.json");

/** Seconds by what passed, of one commit. */
function passedBefore(): Record<string, number> {
  if (!existsSync(resultsFile)) return {};
  const kept = JSON.parse(readFileSync(resultsFile, "utf8")) as { commit: string; passed: Record<string, number> };
  return kept.commit === commit ? kept.passed : {};
}

/** A clone for the user, and the user's account with or without sudo. */
async function prepare(root: string, user: User, log: string): Promise<void> {
  const home = user === "root" ? join(root, "root") : join(root, "home", ACCOUNT);
  const setUp = ["set -e"];
  if (user === "sudo") setUp.push("apt-get -qq update", "apt-get -qq install -y --no-install-recommends sudo >/dev/null");
  if (user !== "root") setUp.push(`useradd --create-home --shell /bin/bash ${ACCOUNT}`);
  if (user === "sudo") setUp.push(`echo '${ACCOUNT} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/${ACCOUNT}`);
  // What that took of apt's lists is given back: the system is as bare as before.
  if (user === "sudo") setUp.push("rm -rf /var/lib/apt/lists/*");
  const { code, text } = await within(root, "root", setUp.join("\n"), log);
  if (code !== 0) throw new Error(`the account could not be made: ${text}`);
  output(["git", "clone", "--quiet", "--no-hardlinks", checkout, join(home, values.folder)]);
  output(["git", "-C", join(home, values.folder), "checkout", "--quiet", "--detach", commit]);
  if (user !== "root") output(["chroot", root, "chown", "-R", `${ACCOUNT}:`, join("/home", ACCOUNT, values.folder)]);
}

/** What a user is to be told who cannot install packages. @throws where it is not exactly that */
function toldToType(text: string): string {
  const lines = text.split("\n").map((line) => line.trimEnd());
  const at = lines.indexOf("setup: only root can install them, and there is no sudo here. Have this run as root, then start again:");
  const command = lines[at + 1] ?? "";
  if (at < 0 || !/^ {2}apt-get update && apt-get install -y --no-install-recommends [a-z0-9. +-]+$/.test(command))
    throw new Error("who has neither root nor sudo was not told what to type");
  if (lines.slice(at + 2).some((line) => line.startsWith("setup:") || /^\s+at .*:\d+/.test(line)))
    throw new Error("more was said after what to type");
  return command.trim();
}

async function runAs(system: System, user: User, passed: Record<string, number>): Promise<boolean> {
  const commands = COMMANDS.filter((command) => !(values.quick && command === "npm test"));
  const keyOf = (command: string): string => `${system.suite} ${user} ${command}`;
  const open = commands.filter((command) => passed[keyOf(command)] === undefined);
  for (const command of commands)
    if (!open.includes(command)) say(`${system.name}, ${user}: ${command} passed before, in ${passed[keyOf(command)]} s`);
  if (open.length === 0) return true;
  const root = join(work, `${system.suite}-${user}`);
  const log = `${root}.log`;
  writeFileSync(log, "");
  const started = performance.now();
  used.add(root);
  copyOf(bareSystem(system, work), root);
  await prepare(root, user, log);
  say(`${system.name}, ${user}: a bare system with a clone, in ${Math.round((performance.now() - started) / 1000)} s`);
  const account = user === "root" ? "root" : ACCOUNT;
  const inClone = (command: string): string => `cd '${values.folder}' && ${command}`;
  if (user === "neither") {
    const refused = await within(root, account, inClone(COMMANDS[0]), log);
    if (refused.code !== 1) throw new Error(`without root and sudo it ended with ${refused.code}`);
    const command = toldToType(refused.text);
    say(`${system.name}, ${user}: told in ${refused.seconds} s to have this run: ${command}`);
    const typed = await within(root, "root", command, log);
    if (typed.code !== 0) throw new Error(`what the user was told to have run ended with ${typed.code}`);
    say(`${system.name}, ${user}: that was run, in ${typed.seconds} s`);
  }
  for (const command of open) {
    const { code, text, seconds } = await within(root, account, inClone(command), log);
    if (code !== 0) {
      console.error(text.split("\n").slice(-LAST_LINES).join("\n"));
      say(
        `${system.name}, ${user}: ${command} ended with ${code} after ${seconds} s; all that it said is in ${log}, the system in ${root}`,
      );
      return false;
    }
    passed[keyOf(command)] = seconds;
    writeFileSync(resultsFile, JSON.stringify({ commit, passed }, undefined, 2));
    say(`${system.name}, ${user}: ${command} passed in ${seconds} s`);
  }
  rmSync(root, { recursive: true, force: true });
  used.delete(root);
  return true;
}

function refuse(why: string): never {
  console.error(`fresh: ${why}`);
  process.exit(2);
}

if (process.getuid?.() !== 0) refuse("only root can make and enter these systems");
if (!existsSync("/usr/sbin/debootstrap")) refuse("it needs debootstrap: apt-get install debootstrap");
const systems = SYSTEMS.filter(({ suite }) => values.system === undefined || suite === values.system);
const users = USERS.filter((user) => values.user === undefined || user === values.user);
if (systems.length === 0) refuse(`--system is one of ${SYSTEMS.map(({ suite }) => suite).join(", ")}`);
if (users.length === 0) refuse(`--user is one of ${USERS.join(", ")}`);
if (!/^[\w. -]+$/.test(values.folder)) refuse("--folder is a name without quotes and slashes");

mkdirSync(work, { recursive: true });
const passed = passedBefore();
say(`commit ${commit.slice(0, 12)}; load of this machine ${readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ")}`);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    leave();
    for (const root of used) rmSync(root, { recursive: true, force: true });
    process.exit(130);
  });
let failed = 0;
for (const system of systems)
  for (const user of users) {
    try {
      if (!(await runAs(system, user, passed))) failed++;
    } catch (error) {
      say(`${system.name}, ${user}: ${error instanceof Error ? error.message : String(error)}`);
      failed++;
    }
  }
say(failed === 0 ? "all passed" : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * The two commands of the README, in bare Debian systems that hold Node, git and certificates and nothing else, as root, as a user with sudo, and as a
 * user with neither, who must be told exactly what to type. What is tested is the commit that is checked out.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WrongUse } from "../options.ts";
import { ROOT, type Run, type RunContext } from "../run.ts";
import { bareSystem, copyOf, leave, output, type System, say, within } from "./root.ts";

const SYSTEMS: readonly System[] = [
  { name: "Debian 12", suite: "bookworm", node: "22" },
  { name: "Debian 13", suite: "trixie", node: "its own" },
];
const USERS = ["root", "sudo", "neither"] as const;
type User = (typeof USERS)[number];

/** As the README has them. */
const COMMANDS = ["npm run demo", "npm test"] as const;
const LAST_LINES = 30;
const ACCOUNT = "somebody";

export const fresh: Run = {
  name: "fresh",
  what: "the README's two commands in bare systems: as root, with sudo, with neither",
  words: {
    /** The name of the folder that is cloned into, in the home folder. */
    folder: { value: "NAME", what: "of the folder that is cloned into", is: "suture" },
  },
  needs: { debootstrap: "debootstrap", unshare: "util-linux", git: "git" },
  root: true,
  ofCommit: () => output(["git", "-C", ROOT, "rev-parse", "HEAD"]).trim(),
  run: perform,
};

/** A clone for the user, and the user's account with or without sudo. */
async function prepare(root: string, user: User, folder: string, log: string): Promise<void> {
  const home = user === "root" ? join(root, "root") : join(root, "home", ACCOUNT);
  const setUp = ["set -e"];
  if (user === "sudo") setUp.push("apt-get -qq update", "apt-get -qq install -y --no-install-recommends sudo >/dev/null");
  if (user !== "root") setUp.push(`useradd --create-home --shell /bin/bash ${ACCOUNT}`);
  if (user === "sudo") setUp.push(`echo '${ACCOUNT} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/${ACCOUNT}`);
  // What that took of apt's lists is given back: the system is as bare as before.
  if (user === "sudo") setUp.push("rm -rf /var/lib/apt/lists/*");
  const { code, text } = await within(root, "root", setUp.join("\n"), log);
  if (code !== 0) throw new Error(`the account could not be made: ${text}`);
  output(["git", "clone", "--quiet", "--no-hardlinks", ROOT, join(home, folder)]);
  output(["git", "-C", join(home, folder), "checkout", "--quiet", "--detach", output(["git", "-C", ROOT, "rev-parse", "HEAD"]).trim()]);
  if (user !== "root") output(["chroot", root, "chown", "-R", `${ACCOUNT}:`, join("/home", ACCOUNT, folder)]);
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

/** Systems that are in use now. */
const used = new Set<string>();

async function runAs(context: RunContext, system: System, user: User): Promise<void> {
  const folder = context.options.text("folder") ?? "";
  const nameOf = (command: string): string => `${system.suite} ${user} ${command}`;
  const commands = COMMANDS.filter((command) => !(context.options.flag("short") && command === "npm test")).filter((command) =>
    context.isWanted(nameOf(command)),
  );
  for (const command of commands) context.names.add(nameOf(command));
  const open = commands.filter((command) => context.kept.get(nameOf(command)) === undefined);
  const [first] = open;
  if (first === undefined) return;
  const work = join(context.cache, "fresh");
  mkdirSync(work, { recursive: true });
  const root = join(work, `${system.suite}-${user}-${process.pid}`);
  const log = join(context.folder, `${system.suite}-${user}.log`);
  writeFileSync(log, "");
  used.add(root);
  const account = user === "root" ? "root" : ACCOUNT;
  const inClone = (command: string): string => `cd '${folder}' && ${command}`;
  const begin = async (): Promise<void> => {
    copyOf(bareSystem(system, work), root);
    await prepare(root, user, folder, log);
    if (user !== "neither") return;
    const refused = await within(root, account, inClone(first), log);
    if (refused.code !== 1) throw new Error(`without root and sudo it ended with ${refused.code}`);
    const command = toldToType(refused.text);
    say(`${system.name}, ${user}: told in ${refused.seconds} s to have this run: ${command}`);
    const typed = await within(root, "root", command, log);
    if (typed.code !== 0) throw new Error(`what the user was told to have run ended with ${typed.code}`);
  };
  let begun = false;
  for (const command of open) {
    const result = await context.item(nameOf(command), async () => {
      if (!begun) await begin();
      begun = true;
      const { code, text } = await within(root, account, inClone(command), log);
      // What was ended with us has not failed.
      context.task.check();
      if (code === 0) return { good: true, outcome: "passed" };
      console.error(text.split("\n").slice(-LAST_LINES).join("\n"));
      return { good: false, outcome: "failed", why: `it ended with ${code}; all that it said is in ${log}, the system in ${root}` };
    });
    if (result?.good !== true) {
      used.delete(root);
      context.left = true;
      return;
    }
  }
  rmSync(root, { recursive: true, force: true });
  used.delete(root);
}

async function perform(context: RunContext): Promise<void> {
  if (!/^[\w. -]+$/.test(context.options.text("folder") ?? "")) throw new WrongUse("--folder is a name without quotes and slashes");
  say(`load of this machine ${readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ")}`);
  context.task.signal.addEventListener("abort", leave);
  try {
    for (const system of SYSTEMS) for (const user of USERS) await runAs(context, system, user);
  } finally {
    for (const root of used) rmSync(root, { recursive: true, force: true });
  }
}

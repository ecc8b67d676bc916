/**
 * A fleet from two commands to a withdrawal, as people run one: the server by its package on a Debian machine with systemd, three machines of two releases
 * that came by package, livepatches by `suture catch-up`, each rolled out in stages, the next release in their place, one of them taken back; and a browser
 * that watches. The machines are virtual and emulated; nothing else is not what people have. The transcript has each command and what it printed.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareTarget } from "@suture/sources";
import { LEVEL_PROBE, makeLevels } from "@suture/testkit/levels";
import { Repository } from "@suture/testkit/repository";
import { KERNELS, testKernel } from "@suture/testkit/stock-kernel";
import { codeAt } from "../../apps/fleet/src/users/second-factor.ts";
import { Claims } from "../claims.ts";
import { Browser } from "../fleet-page/browser.ts";
import { FOLLOWS, systemWith } from "../follow/system.ts";
import { Transcript } from "../follow/transcript.ts";
import { leave } from "../fresh/root.ts";
import { COMMON } from "../options.ts";
import { SystemMachine } from "../power-cuts/system-machine.ts";
import { type Found, newestCloud, type Run, type RunContext } from "../run.ts";
import { Follower } from "./follower.ts";
import { FleetServer, PEOPLE, type Person, SERVES } from "./server.ts";

const PASSWORD = "correct horse battery staple";
const SOAK = 5;
/** The server looks every five seconds; the machines are emulated. */
const PATIENCE_MS = 600_000;

export const fleetStory: Run = {
  name: "fleet-story",
  what: "a fleet by its packages: server, three machines of two releases, roll-outs in stages, the next release, a withdrawal, a browser that watches",
  words: { kernel: COMMON.kernel, other: { value: "RELEASE", what: "that of the third machine", is: KERNELS[1] } },
  needs: { debootstrap: "debootstrap", chromium: "chromium", unshare: "util-linux", "dpkg-deb": "dpkg", "qemu-img": "qemu-utils" },
  root: true,
  kernel: newestCloud,
  async run(context) {
    context.task.signal.addEventListener("abort", leave);
    const folder = mkdtempSync(join(tmpdir(), "suture-story-"));
    try {
      await context.item("two commands, three machines, two releases, a withdrawal", () => story(context, folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function story(context: RunContext, folder: string): Promise<Found> {
  const { task, cache, release } = context;
  const transcript = new Transcript(join(context.folder, "transcript.txt"), folder);
  const pictures = join(context.folder, "pictures");
  mkdirSync(pictures, { recursive: true });
  console.log(`what was typed and printed: ${transcript.file}`);
  const port = await freePort();
  const machineOf = async (name: string, image: string, kernel: string, more: object = {}): Promise<SystemMachine> => {
    mkdirSync(join(folder, name));
    const parts = { kernel: await testKernel(task, kernel), folder: join(folder, name), image, cache, network: { forward: [] }, ...more };
    return SystemMachine.make(task, parts);
  };
  const follows = await systemWith(context, join(folder, "follows.ext4"), FOLLOWS);
  const serves = await systemWith(context, join(folder, "serves.ext4"), SERVES);
  const machine = await machineOf("server", serves, release, { memory: 2048, network: { forward: [{ from: port, to: 80 }] } });
  const server = new FleetServer(task, { machine, transcript, folder, port });
  const other = (await testKernel(task, context.options.text("other") ?? KERNELS[1])).release;
  const followers: Follower[] = [];
  for (const [name, kernel, ...labels] of [
    ["berlin", release, "canary"],
    ["paris", release],
    ["oslo", other, "canary"],
  ] as const)
    followers.push(new Follower(name, await machineOf(name, follows, kernel), transcript, labels));
  const browser = await Browser.open(task);
  try {
    const told = new Story({ context, folder, transcript, server, followers, browser, pictures, port, kernels: [release, other] });
    await told.serverIsThere();
    await told.machinesCome();
    await told.release("one");
    await told.release("two");
    await told.takenBack();
    await told.bootedAgain();
    return { ...told.claims.found, more: { pictures: told.pictures, browser: Browser.version(), kernels: [release, other] } };
  } finally {
    await browser.close();
    for (const each of [...followers, { close: () => machine.close() }]) await each.close();
  }
}

interface Parts {
  context: RunContext;
  folder: string;
  transcript: Transcript;
  server: FleetServer;
  followers: readonly Follower[];
  browser: Browser;
  pictures: string;
  port: number;
  kernels: readonly string[];
}

class Story {
  readonly claims = new Claims();
  pictures = 0;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async serverIsThere(): Promise<void> {
    const { server, transcript, browser } = this.#parts;
    transcript.heading("two commands");
    await server.machine.boot();
    const invitation = await server.install();
    await server.type(
      "systemctl is-active suture-fleet; systemctl show suture-fleet -p MemoryCurrent; journalctl --no-pager --output=cat -n 5 -u suture-fleet",
    );
    transcript.heading("a web server before it, a signed repository that it steers");
    await server.steers();
    await this.#comesIn(invitation);
    await this.#look("glance-empty", "");
    for (const person of Object.keys(PEOPLE) as Person[]) await server.comes(person);
    this.claims.holds("nothing of the page is refused or broken", browser.complaints.length === 0, browser.complaints);
  }

  /** By the forms, as the one who was invited. */
  async #comesIn(invitation: string): Promise<void> {
    const { browser, server } = this.#parts;
    await browser.look({ width: 1280, dark: false });
    await browser.goTo(`${server.url}welcome`);
    await browser.fill("[name=invitation]", invitation);
    await browser.press("button.go");
    const secret = (await browser.evaluate<string>('document.querySelector(".box.m").textContent')).replaceAll(" ", "");
    await browser.fill("[name=password]", PASSWORD);
    await browser.fill("[name=code]", codeAt("ada", secret, Date.now()));
    await browser.press("button.go");
    await browser.fill("[name=name]", "ada");
    await browser.fill("[name=password]", PASSWORD);
    await browser.fill("[name=code]", codeAt("ada", secret, Date.now() + 30_000));
    await browser.press("button.go");
    this.claims.holds("who was invited is in", (await browser.evaluate<string>("document.body.textContent")).includes("Log out"));
  }

  async machinesCome(): Promise<void> {
    const { server, transcript, followers, folder, port, kernels } = this.#parts;
    transcript.heading("three machines enrol");
    const root = join(folder, "1.root.json");
    writeFileSync(root, Buffer.from(await (await fetch(`${server.url}patches/metadata/1.root.json`)).arrayBuffer()));
    for (const follower of followers) {
      const canary = follower.name === "paris" ? [] : ["canary"];
      const asked = { name: follower.name, limit: 1, days: 1, approve: true, labels: canary };
      const { token } = await server.asks("olga", "POST", "v1/enrol-tokens", asked);
      await follower.enrol({ root, token: String(token), port });
    }
    const hosts = await server.fleet("olga", "hosts");
    for (const { name } of followers) this.claims.holds("each is in the list", hosts.includes(name), hosts);
    for (const kernel of kernels) this.claims.holds("with its kernel", hosts.includes(kernel), hosts);
    await this.#look("hosts", "hosts");
  }

  /** Livepatches of one level for both kernels; each goes to the canaries first. */
  async release(level: "one" | "two"): Promise<void> {
    const { server, transcript, followers, kernels, browser } = this.#parts;
    transcript.heading(`the release ${level}`);
    const files: string[] = [];
    for (const [n, kernel] of kernels.entries()) files.push(await this.#built(kernel, n, level));
    await server.offers(files);
    const ids = files.map((_, n) => `${level}-${n}`);
    for (const [n, file] of files.entries()) await this.#begun(ids[n] ?? "", file);
    const [first = ""] = ids;
    await browser.goTo(`${server.url}rollouts/${first}`);
    await this.#picture(`${level}-canary`);
    // Once its canaries have it the stage passes, and lets in all who look after them.
    for (const follower of [...followers].sort((a, b) => Number(a.isCanary) - Number(b.isCanary))) await follower.run();
    for (const [i, { name, isCanary }] of followers.entries())
      this.claims.holds(`${level}: canaries have it first`, (await this.#levelOf(i)).includes(`level ${level}`) === isCanary, name);
    await this.#becomes(first, ({ stage }) => stage === 1);
    await this.#liveIsAt("all");
    await this.#picture(`${level}-all`);
    if (level === "two") {
      await browser.press("form[action$='/hold'] button");
      await this.#everyone();
      this.claims.holds("a click holds it", !(await this.#levelOf(1)).includes("level two"));
      await this.#picture("two-held");
      for (const person of ["rita", "rolf"] as const) await server.fleet(person, "approve", first);
      await server.fleet("olga", "resume", first, "--why", "it was a drill");
    }
    await this.#everyone();
    for (const id of ids) await this.#becomes(id, ({ phase }) => phase === "done");
    await browser.goTo(`${server.url}rollouts/${first}`);
    await this.#picture(`${level}-done`);
    for (const i of followers.keys())
      this.claims.holds(`${level} is in effect everywhere`, (await this.#levelOf(i)).includes(`level ${level}`), i);
    for (const path of ["", "hosts", "cves", "livepatches", "audit?check=1"])
      await this.#look(`${level}-${path.replace(/\?.*/, "") || "glance"}`, path);
    const [host] = (await server.asks("olga", "GET", "v1/hosts")).hosts as { id: string }[];
    await this.#look(`${level}-host`, `hosts/${host?.id}`);
    await server.fleet("olga", "cve");
    await server.fleet("olga", "rollouts");
  }

  /** The second level of the one kernel goes out of effect; the other kernel keeps its own. */
  async takenBack(): Promise<void> {
    const { server, transcript, followers } = this.#parts;
    transcript.heading("one of them is taken back");
    await server.fleet("olga", "withdraw", "two-0", "--why", "pipes hang");
    await server.suture("repo", "withdraw", "repository", "livepatch_level_two_0", "--action", "disable", "--reason", "pipes hang");
    await server.sign("walt");
    await server.publish();
    await this.#everyone();
    for (const [i, { name }] of followers.entries())
      this.claims.holds("it is out where it was, and nowhere else", (await this.#levelOf(i)).includes("level") === (name === "oslo"), name);
    await this.#look("withdrawn", "rollouts/two-0");
    await this.#look("withdrawn-hosts", "hosts");
  }

  async bootedAgain(): Promise<void> {
    const { server, transcript, followers } = this.#parts;
    transcript.heading("a machine is booted again, and the server's");
    const [berlin, , oslo] = followers;
    for (const one of [berlin, oslo]) await one?.reboot();
    this.claims.holds("nothing comes back", !(await this.#levelOf(0)).includes("level"));
    this.claims.holds("what is in effect is so from boot", (await this.#levelOf(2)).includes("level two"));
    await server.machine.reboot();
    await server.answers();
    await this.#everyone();
    const audit = await server.fleet("olga", "audit");
    this.claims.holds("the audit is whole", /as it was written/.test(audit), audit.slice(0, 300));
    const units = await server.type(
      "systemctl --failed --no-legend; systemctl is-active suture-fleet; systemctl show suture-fleet -p MemoryCurrent -p NRestarts",
    );
    this.claims.holds("no unit of the server has failed", units.startsWith("active"), units);
    for (const follower of followers) {
      const failed = await follower.type("systemctl --failed --no-legend");
      this.claims.holds("no unit of a machine has failed", failed === "", failed);
    }
    await this.#look("end", "");
    const { complaints, origins } = this.#parts.browser;
    this.claims.holds("pages complain of nothing", complaints.length === 0, complaints);
    this.claims.holds(
      "nobody but the server is asked",
      [...origins].every((origin) => origin === new URL(server.url).origin),
      [...origins],
    );
  }

  /** @returns the livepatch, with its account and page beside it */
  async #built(kernel: string, n: number, level: "one" | "two"): Promise<string> {
    const { context, folder, transcript } = this.#parts;
    const linux = join(folder, `linux-${n}`);
    if (level === "one") {
      const { tree } = await prepareTarget(context.task, kernel, { cache: context.cache });
      makeLevels(new Repository(linux), tree, join(folder, `vulns-${n}`));
    }
    const file = (of: string, end: string): string => join(folder, `livepatch-level-${of}-${n}.${end}`);
    const upon = level === "one" ? [] : ["--upon", file("one", "ko")];
    const about = ["--git", linux, "--range", `from..${level}`, "--cve-data", join(folder, `vulns-${n}`), "--name", `level-${level}-${n}`];
    const out = file(level, "ko");
    const report = await transcript.suture("catch-up", "--kernel", kernel, ...about, "--output", out, ...upon, "--json");
    writeFileSync(file(level, "json"), report);
    await transcript.suture("review", out, "--output", file(level, "html"));
    return out;
  }

  async #begun(id: string, file: string): Promise<void> {
    const { server, folder } = this.#parts;
    // A stage that lets in no machine of its own is not passed: of the other kernel there is one machine.
    const stages = [...(id.endsWith("-0") ? [{ name: "canary", label: "canary", percent: 100 }] : []), { name: "all", percent: 100 }];
    const livepatch = createHash("sha256").update(readFileSync(file)).digest("hex");
    const plan = join(folder, `${id}.json`);
    writeFileSync(plan, JSON.stringify({ id, livepatch, soak: SOAK, stages }));
    await server.fleet("olga", "plan", plan);
    for (const person of ["rita", "rolf"] as const) await server.fleet(person, "approve", id);
    await server.fleet("olga", "start", id, "--why", "the next level");
  }

  /** All machines look what is new. */
  async #everyone(): Promise<void> {
    for (const follower of this.#parts.followers) await follower.run();
  }

  #levelOf(i: number): Promise<string> {
    return this.#parts.followers[i]?.type(LEVEL_PROBE) ?? Promise.resolve("");
  }

  async #becomes(id: string, until: (rollout: { stage: number; phase: string }) => boolean): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; ; ) {
      const [found] = (await this.#parts.server.asks("olga", "GET", `v1/rollouts/${id}`)).rollouts as { stage: number; phase: string }[];
      if (found !== undefined && until(found)) return;
      if (Date.now() > deadline || found?.phase === "held") throw new Error(`${id} does not come to that: ${JSON.stringify(found)}`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  /** The page that is watched says it without being loaded anew. */
  async #liveIsAt(stage: string): Promise<void> {
    const is = `document.querySelector("#live li[aria-current] b")?.textContent === ${JSON.stringify(stage)}`;
    const look = `new Promise((done) => { const end = Date.now() + 90000; const look = () => { const is = ${is}; if (is || Date.now() > end) done(is); else setTimeout(look, 200); }; look(); })`;
    this.claims.holds(`what is live is at ${stage} by itself`, (await this.#parts.browser.evaluate<boolean>(look)) === true);
  }

  async #look(name: string, path: string): Promise<void> {
    await this.#parts.browser.goTo(`${this.#parts.server.url}${path}`);
    await this.#picture(name);
  }

  async #picture(name: string): Promise<void> {
    await this.#parts.browser.shot(join(this.#parts.pictures, `${String(++this.pictures).padStart(2, "0")}-${name}.png`));
  }
}

/** Nobody listens there at the moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

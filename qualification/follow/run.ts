/**
 * From nothing to a patched machine, as people do it: keys, a repository, signers who each read what they sign, livepatches by `suture catch-up`, and a Debian
 * system with its own systemd on which the packages were installed. The next release takes the place of the first one, a withdrawal takes it out, and a reboot
 * brings nothing back. The transcript has each command and what it printed.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareTarget } from "@suture/sources";
import { LEVEL_PROBE, makeLevels } from "@suture/testkit/levels";
import { Repository } from "@suture/testkit/repository";
import { testKernel } from "@suture/testkit/stock-kernel";
import { Claims } from "../claims.ts";
import { leave } from "../fresh/root.ts";
import { COMMON } from "../options.ts";
import { SystemMachine } from "../power-cuts/system-machine.ts";
import { type Found, newestCloud, ROOT, type Run, type RunContext } from "../run.ts";
import { FOLLOWS, systemWith } from "./system.ts";
import { Transcript } from "./transcript.ts";

const SERVER = join(ROOT, "packages/testkit/programs/serve.mjs");
const NODE = "/usr/lib/suture-node/node";
/** An emulated machine, on one that is busy with other things. */
const PATIENCE_MS = 900_000;
const HOLDERS = {
  root: "2:ada.pub,bob.pub,cyd.pub",
  patches: "2:dan.pub,eva.pub",
  policy: "1:olga.pub",
  withdrawal: "1:walt.pub",
  snapshot: "1:online.pub",
  timestamp: "1:online.pub",
};
const PEOPLE = ["ada", "bob", "cyd", "dan", "eva", "olga", "walt", "online"] as const;
const CONFIGURATION = {
  "suture-agent": 1,
  repositories: ["http://127.0.0.1:8080/"],
  fleet: "acme",
  probes: [{ name: "version", run: "grep -q ^Linux /proc/version", seconds: 600 }],
  soakSeconds: 5,
  textfile: "/var/lib/suture/suture.prom",
};

export const follow: Run = {
  name: "follow",
  what: "from keys to a patched Debian machine, by the packages and its systemd: published, loaded, replaced, withdrawn, rebooted",
  words: { kernel: COMMON.kernel },
  needs: { debootstrap: "debootstrap", unshare: "util-linux", "dpkg-deb": "dpkg", "qemu-img": "qemu-utils", debugfs: "e2fsprogs" },
  root: true,
  kernel: newestCloud,
  async run(context) {
    context.task.signal.addEventListener("abort", leave);
    const folder = mkdtempSync(join(tmpdir(), "suture-follow-"));
    try {
      await context.item("keys, two signers, two releases, a withdrawal, a reboot", () => story(context, folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function story(context: RunContext, folder: string): Promise<Found> {
  const { task, cache, release } = context;
  const claims = new Claims();
  const transcript = new Transcript(join(context.folder, "transcript.txt"), folder);
  console.log(`what was typed and printed: ${transcript.file}`);
  const people = new People(transcript, folder);
  await people.begin();

  transcript.heading("the first release");
  const { tree } = await prepareTarget(task, release, { cache });
  const repository = new Repository(join(folder, "linux"));
  makeLevels(repository, tree, join(folder, "vulns"));
  await people.release(release, "one", []);

  const machine = await SystemMachine.make(task, {
    kernel: await testKernel(task, release),
    folder,
    image: await systemWith(context, join(folder, "system.ext4"), FOLLOWS),
    cache,
  });
  try {
    const at = new Following(machine, transcript, folder);
    await at.begin();
    await at.see();
    claims.holds("the first release is in effect", (await at.run()).includes("level one"));
    claims.holds("and is kept for boot", (await at.type("suture list")).includes("livepatch_level_one"));

    transcript.heading("a run in which nothing is due");
    const idle = await at.idle();
    claims.holds("it does nothing", idle.includes("it is in effect"), idle);

    transcript.heading("the next release takes its place");
    await people.release(release, "two", ["--upon", "livepatch-level-one.ko"]);
    await at.see();
    claims.holds("the second release is in effect", (await at.run()).includes("level two"));
    const loaded = await at.type("ls /sys/kernel/livepatch");
    claims.holds("alone", loaded === "livepatch_level_two", loaded);

    transcript.heading("it is taken back");
    await transcript.suture("repo", "withdraw", "repository", "livepatch_level_two", "--action", "disable", "--reason", "pipes hang");
    await people.sign("walt");
    await people.publish();
    await at.see();
    claims.holds("nothing is in effect", !(await at.run()).includes("level"));
    const left = await at.type("ls /sys/kernel/livepatch; suture list");
    claims.holds("and nothing is kept for boot", !left.includes("livepatch_level"), left);

    transcript.heading("the machine is booted again");
    await machine.reboot();
    await at.serve();
    const probed = await at.run();
    claims.holds("nothing comes back", !probed.includes("level"), probed);
    const timer = await at.type("systemctl is-enabled suture-agent.timer; systemctl --failed --no-legend");
    claims.holds("the timer is there, and no unit has failed", timer === "enabled", timer);
    await at.type("suture agent status");
  } finally {
    await machine.close();
  }
  return claims.found;
}

/** Those who make livepatches and sign them. */
class People {
  readonly #transcript: Transcript;
  readonly #folder: string;

  constructor(transcript: Transcript, folder: string) {
    this.#transcript = transcript;
    this.#folder = folder;
    writeFileSync(join(folder, "passphrase"), "correct horse battery staple\n", { mode: 0o600 });
  }

  async begin(): Promise<void> {
    this.#transcript.heading("keys, and a repository");
    for (const name of PEOPLE) await this.#transcript.suture("repo", "key", "new", name);
    const holders = Object.entries(HOLDERS).flatMap(([role, who]) => ["--holders", `${role}=${who}`]);
    await this.#transcript.suture("repo", "init", "repository", "--fleet", "acme", ...holders);
    await this.sign("ada", "bob", "dan", "eva", "olga", "walt");
    await this.publish();
  }

  /** Each is shown what it is, and signs that by its digest. */
  async sign(...names: (typeof PEOPLE)[number][]): Promise<void> {
    for (const name of names) {
      const words = ["repo", "sign", "repository", "--key", `${name}.key`];
      const [, digest = ""] = /--read ([0-9a-f]{64})/.exec(await this.#transcript.suture(...words)) ?? [];
      await this.#transcript.suture(...words, "--read", digest);
    }
  }

  async publish(): Promise<void> {
    await this.#transcript.suture("repo", "publish", "repository", "published", "--key", "online.key");
  }

  async release(kernel: string, level: string, more: readonly string[]): Promise<void> {
    const file = `livepatch-level-${level}.ko`;
    const about = ["--git", "linux", "--range", `from..${level}`, "--cve-data", "vulns", "--name", `level-${level}`];
    const printed = await this.#transcript.suture("catch-up", "--kernel", kernel, ...about, "--output", file, ...more, "--json");
    writeFileSync(join(this.#folder, `${level}.json`), printed);
    await this.#transcript.suture("repo", "add", "repository", file, "--account", `${level}.json`);
    const ring = ["--ring", "all=100", "--soak", "5"];
    await this.#transcript.suture("repo", "policy", "repository", "--roll-out", level, "--livepatch", `livepatch_level_${level}`, ...ring);
    await this.sign("dan", "eva", "olga");
    await this.publish();
  }
}

/** The machine that follows, and its person at the console. */
class Following {
  readonly #machine: SystemMachine;
  readonly #transcript: Transcript;
  readonly #folder: string;

  constructor(machine: SystemMachine, transcript: Transcript, folder: string) {
    this.#machine = machine;
    this.#transcript = transcript;
    this.#folder = folder;
  }

  async begin(): Promise<void> {
    this.#transcript.heading("a machine that follows");
    const guest = await this.#machine.boot();
    await guest.put("/etc/suture/root.json", readFileSync(join(this.#folder, "published/metadata/1.root.json")));
    await guest.put("/etc/suture/agent.json", Buffer.from(`${JSON.stringify(CONFIGURATION, undefined, 1)}\n`));
    await guest.put("/opt/serve.mjs", readFileSync(SERVER));
    await this.type("cat /etc/debian_version; uname -r; dpkg-query -W 'suture*'; cat /etc/suture/agent.json");
    await this.serve();
    await this.type("systemd-analyze verify --man=no suture-agent.service suture-agent-fetch.service suture-agent.timer && echo in order");
    await this.type("systemctl enable --now suture-agent.timer; systemctl list-timers --no-pager suture-agent.timer");
  }

  /** The web server, on the loopback. */
  async serve(): Promise<void> {
    await this.type(`mkdir -p /srv/patches; systemd-run --quiet --unit=patches-web ${NODE} /opt/serve.mjs /srv/patches 8080 /run/asked`);
  }

  /** What is published is on the web server from now on. */
  async see(): Promise<void> {
    const archive = execFileSync("tar", ["-C", join(this.#folder, "published"), "-c", ...readdirSync(join(this.#folder, "published"))], {
      maxBuffer: 2 ** 28,
    });
    await this.#machine.guest.put("/run/published.tar", archive);
    await this.#machine.guest.run("tar -C /srv/patches -x -f /run/published.tar", { timeoutMs: PATIENCE_MS });
  }

  /** As the timer does it. @returns what a probe of the levels says then */
  async run(): Promise<string> {
    await this.type("systemctl start suture-agent.service; echo ended with $?");
    await this.type("journalctl --no-pager --output=cat -u suture-agent-fetch -u suture-agent -n 60 | tail -40");
    return this.type(LEVEL_PROBE);
  }

  /** What it costs: processor time and memory of both units as systemd has them, bytes as the fetching one counts them. */
  async idle(): Promise<string> {
    const peak = "[Service]\\nExecStopPost=/bin/cat /sys/fs/cgroup/system.slice/%%n/memory.peak\\n";
    for (const unit of ["suture-agent", "suture-agent-fetch"])
      await this.type(`mkdir -p /run/systemd/system/${unit}.service.d; printf '${peak}' >/run/systemd/system/${unit}.service.d/peak.conf`);
    await this.type(
      "systemctl daemon-reload; : >/run/asked; since=$(date +%s); systemctl start suture-agent.service; echo $since >/run/since",
    );
    await this.type("cat /run/asked; grep received /var/lib/suture-agent/fetch.json");
    await this.type("rm -r /run/systemd/system/suture-agent*.d; systemctl daemon-reload");
    return this.type("journalctl --no-pager --output=short-monotonic --since=@$(cat /run/since) -u suture-agent-fetch -u suture-agent");
  }

  async type(command: string): Promise<string> {
    const { output } = await this.#machine.guest.run(command, { timeoutMs: PATIENCE_MS });
    this.#transcript.add("machine#", command, output.trim());
    return output.trim();
  }
}

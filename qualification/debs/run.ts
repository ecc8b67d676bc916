/**
 * The packages for Debian, in bare systems of Debian 12 and 13 without Node or npm: installed, used, upgraded, removed, purged. What is in the kernel is a
 * folder here, where the packages' own scripts look for it: a bare system in a folder has the kernel of this machine.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MODULES, testModules } from "@suture/testkit/host-guest";
import { KERNELS, testKernel } from "@suture/testkit/stock-kernel";
import { bareSystem, copyOf, leave, type System, within } from "../fresh/root.ts";
import { type Found, ROOT, type Run, type RunContext } from "../run.ts";

const SYSTEMS: readonly (System & { own: boolean })[] = [
  { name: "Debian 12", suite: "bookworm", node: "none", own: true },
  { name: "Debian 13", suite: "trixie", node: "none", own: false },
];
/** Before and after an upgrade. */
const VERSIONS = ["0.1.0", "0.1.1"] as const;
const LIVEPATCH = "host_cmdline";
const APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends";
const STORE = "/var/lib/suture/patches";
const WANTED = "/etc/systemd/system/sysinit.target.wants/suture.service";
/** A livepatch that the kernel has, as the packages' scripts see it. */
const LOADED = `mount -t tmpfs kernel /sys/kernel && mkdir -p /sys/kernel/livepatch/${LIVEPATCH}`;

export const debs: Run = {
  name: "debs",
  what: "the packages for Debian in bare systems: installed, used, upgraded, removed, purged",
  words: {},
  needs: { debootstrap: "debootstrap", unshare: "util-linux", "dpkg-deb": "dpkg" },
  root: true,
  run: perform,
};

/** @returns their files */
export function makeDebs(out: string, version: string): string[] {
  const argv = ["--conditions=source", "--import", "tsx", "scripts/debs.ts", "--out", out, "--version", version];
  return execFileSync(process.execPath, argv, { cwd: ROOT, encoding: "utf8" }).trim().split("\n");
}

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

const FLEET_DATA = "/var/lib/suture-fleet";
/** Without systemd, as its unit starts it: until it answers, and until it has ended. */
const fleetServes = (command: string): string =>
  `setpriv --reuid=suture-fleet --regid=suture-fleet --clear-groups suture-fleet serve --listen 127.0.0.1:18780 2>/root/fleet.log & server=$!
        node=/usr/lib/suture-node/node; [ -x $node ] || node=/usr/bin/node
        page() { $node -e 'fetch("http://127.0.0.1:18780" + process.argv[1]).then(async (a) => console.log(a.status, await a.text()), () => process.exit(1))' "$1"; }
        for i in $(seq 120); do page /healthz >/dev/null && break; sleep 0.5; done
        ${command}
        kill $server; wait $server; echo it ended with $?; ! pgrep -u suture-fleet; tail -3 /root/fleet.log`;

/** What is typed in a system, and what has to be in what it prints, or must not be. */
interface Step {
  what: string;
  command: string;
  says?: readonly RegExp[];
  silent?: readonly RegExp[];
}

function stepsIn(own: boolean, release: string): Step[] {
  const node = own ? " /root/debs/suture-node_*.deb" : "";
  const installing = (version: string): string => `${APT} install /root/debs/suture_${version}_all.deb${node}`;
  const agent = (version: string): string => `/root/debs/suture-agent_${version}_all.deb`;
  const fleet = (version: string): string => `/root/debs/suture-fleet_${version}_all.deb`;
  const sites = (version: string): string => ["relay", "builder"].map((name) => `/root/debs/suture-${name}_${version}_all.deb`).join(" ");
  const kernelGone = own
    ? `${APT} purge linux-image-${release}`
    : `rm -r /boot/vmlinuz-${release} /lib/modules/${release}; run-parts --verbose --arg=${release} --arg=/boot/vmlinuz-${release} /etc/kernel/postrm.d`;
  const kernelThere = own
    ? `${APT} install linux-image-${release}`
    : `mkdir -p /lib/modules/${release}/kernel; touch /boot/vmlinuz-${release}; run-parts --verbose --arg=${release} --arg=/boot/vmlinuz-${release} /etc/kernel/postinst.d`;
  return [
    {
      what: "install",
      command: `apt-get -qq update && ${APT} install man-db bash-completion && ${installing(VERSIONS[0])} && suture --version`,
    },
    {
      what: "use",
      command: `suture --version; suture inspect /root/${LIVEPATCH}.ko; suture help load; ls /usr/lib/suture; command -v npm || echo no npm here`,
      says: [new RegExp(release), /cmdline_proc_show/, /--on-timeout/, /no npm here/],
    },
    {
      what: "manual and completion",
      command: `man -w suture suture-load && MANPAGER=cat man suture-load | head -20
        bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader suture; complete -p suture'`,
      says: [/suture-load\.1\.gz/, /SYNOPSIS/, /complete .* suture/],
    },
    {
      what: "keep a livepatch",
      command: `mkdir -p /etc/systemd/system && suture install /root/${LIVEPATCH}.ko && suture list && readlink ${WANTED} && ls -p /etc/systemd/system`,
      says: [/loaded by suture.service/, /^\/usr\/lib\/systemd\/system\/suture\.service$/m],
      // The package's own are used.
      silent: [/^suture\.service$/m],
    },
    { what: "a kernel is installed", command: `${kernelThere} && ls ${STORE}/${release}`, says: [new RegExp(`^${LIVEPATCH}\\.ko$`, "m")] },
    {
      what: "the agent is installed",
      command: `${APT} install ${agent(VERSIONS[0])} && getent passwd suture-agent && ls /usr/lib/systemd/system/suture-agent*
        systemd-analyze verify suture-agent.service suture-agent-fetch.service suture-agent-report.service suture-agent.timer suture.service suture-end.service && echo units are in order
        systemctl is-enabled suture-agent.timer; systemctl enable suture-agent.timer`,
      says: [
        /does nothing until there is \/etc\/suture\/agent\.json/,
        /nologin/,
        /suture-agent-probe@\.service/,
        /units are in order/,
        /^disabled$/m,
      ],
    },
    {
      what: "the fleet's server is installed",
      command: `${APT} install procps ${fleet(VERSIONS[0])} && getent passwd suture-fleet && systemd-analyze verify suture-fleet.service && echo units are in order
        systemctl is-enabled suture-fleet.service; suture-fleet --version; stat -c '%U %a' ${FLEET_DATA}`,
      says: [/suture-fleet account NAME --role admin/, /nologin/, /units are in order/, /^enabled$/m, /^0\.1\.0$/m, /^suture-fleet 711$/m],
    },
    {
      what: "the fleet's server serves, and the first person is invited",
      command: fleetServes(
        `page /login | grep -o '^200 \\|<title>[^<]*'; suture-fleet account ada --role admin; stat -c '%U' ${FLEET_DATA}/postgres/data`,
      ),
      says: [/^200 $/m, /<title>Log in/, /^si_[\w-]{43}$/m, /^suture-fleet$/m, /it ended with 0/],
      silent: [/"level":(?:50|60)/],
    },
    {
      what: "the fleet's server is upgraded, with its data",
      command: `${APT} install ${fleet(VERSIONS[1])} && dpkg-query -W suture-fleet
        ${fleetServes("suture-fleet account ada --role admin")}`,
      says: [/suture-fleet\s+0\.1\.1/, /^si_[\w-]{43}$/m, /it ended with 0/],
    },
    {
      what: "the fleet's server is removed",
      command: `${APT} purge suture-fleet && ls ${FLEET_DATA} && ! ls /usr/lib/suture-fleet /etc/default/suture-fleet && ! systemctl is-enabled suture-fleet.service; rm -r ${FLEET_DATA}`,
      says: [/stays: rm -r \/var\/lib\/suture-fleet/, /^postgres$/m],
    },
    {
      what: "a relay and a builder are installed",
      command: `${APT} install ${sites(VERSIONS[0])} && getent passwd suture-relay suture-builder && id suture-builder
        systemd-analyze verify suture-relay.service suture-builder.service && echo units are in order
        systemctl is-enabled suture-relay.service suture-builder.service; ! command -v postgres suture-fleet
        /usr/lib/suture-relay/suture-relay --listen nowhere; /usr/lib/suture-builder/suture-builder --once; true`,
      says: [
        /does nothing until \/etc\/default\/suture-relay/,
        /does nothing until \/etc\/default\/suture-builder/,
        /groups=.*\(kvm\)/,
        /units are in order/,
        /^enabled\nenabled$/m,
        /FLEET_USAGE: --listen nowhere/,
        /FLEET_USAGE: a builder takes/,
      ],
    },
    {
      what: "the relay takes reports as its user, without its server",
      command: `install -d -m 700 -o suture-relay -g suture-relay /var/lib/suture-relay
        setpriv --reuid=suture-relay --regid=suture-relay --clear-groups /usr/lib/suture-relay/suture-relay --data /var/lib/suture-relay --listen 127.0.0.1:18781 --server http://127.0.0.1:9/ 2>/root/relay.log & relay=$!
        node=/usr/lib/suture-node/node; [ -x $node ] || node=/usr/bin/node
        tell() { $node -e 'const body = JSON.stringify({ reports: [{ host: "0".repeat(32), body: "{}", signature: "0".repeat(128) }] });
          fetch("http://127.0.0.1:18781/v1/reports", { method: "POST", headers: { "content-type": "application/json" }, body }).then(async (a) => console.log(a.status, await a.text()), () => process.exit(1))'; }
        for i in $(seq 120); do tell && break; sleep 0.5; done
        kill $relay; wait $relay; echo it ended with $?; stat -c '%U %s' /var/lib/suture-relay/spool/*.reports`,
      says: [/^200 /m, /it ended with 0/, /^suture-relay [1-9]/m],
    },
    {
      what: "a relay and a builder are removed",
      command: `touch /etc/suture/builder-key; ${APT} purge suture-relay suture-builder && ls /var/lib/suture-relay && ! ls -d /usr/lib/suture-relay /usr/lib/suture-builder /etc/default/suture-relay /etc/default/suture-builder /var/lib/suture-builder /var/cache/suture-builder && ! systemctl is-enabled suture-relay.service; rm -r /var/lib/suture-relay /etc/suture/builder-key`,
      says: [/its key stays in/, /^spool$/m, /stay in \/var\/lib\/suture-relay/],
    },
    {
      what: "upgrade",
      command: `${LOADED} && ${installing(VERSIONS[1])} ${agent(VERSIONS[1])} && dpkg-query -W suture suture-agent && systemctl is-enabled suture-agent.timer && ls ${STORE}`,
      says: [/not touched by the upgrade: host_cmdline/, /suture\s+0\.1\.1/, /suture-agent\s+0\.1\.1/, /^enabled$/m, new RegExp(release)],
    },
    {
      what: "the agent is removed",
      // A run of it has begun.
      command: `mkdir -p /var/lib/suture-agent/mirror /var/lib/suture/agent/trust /run/suture
        flock /run/suture/agent.lock sh -c 'sleep 10; echo whole >/root/run' & sleep 1
        ${APT} remove suture-agent && cat /root/run && ls /var/lib/suture-agent && ${APT} purge suture-agent &&
        ! ls /usr/lib/systemd/system/suture-agent.timer && ! ls -d /var/lib/suture-agent && ! ls -d /var/lib/suture/agent && ls /etc/systemd/system/timers.target.wants; ls ${STORE}`,
      says: [/^whole$/m, /^mirror$/m, new RegExp(release)],
      silent: [/^suture-agent\.timer$/m],
    },
    {
      what: "remove",
      command: `${LOADED} && ${APT} remove suture && ls ${STORE} && ! command -v suture && ! ls /usr/lib/suture`,
      says: [
        /stays in the kernel until the machine is booted again: host_cmdline/,
        /is not loaded at boot without the package/,
        new RegExp(release),
      ],
    },
    { what: "install again", command: `${installing(VERSIONS[1])} && suture list`, says: [new RegExp(LIVEPATCH)] },
    {
      what: "purge while loaded",
      command: `${LOADED} && ${APT} purge suture && ls ${STORE} && ! ls ${WANTED}`,
      says: [/stays: these of it are in the kernel: host_cmdline/, new RegExp(release)],
    },
    {
      what: "a kernel is removed",
      command: `${installing(VERSIONS[1])} && suture install /root/${LIVEPATCH}.ko && ${kernelGone} && ! ls ${STORE}`,
      says: [/dropped\s+livepatch\s+kernel\s+host_cmdline/],
    },
    {
      what: "purge",
      command: `suture install /root/${LIVEPATCH}.ko && ${APT} purge suture && find / -xdev -iname '*suture*' -not -path '/root/*' -not -path '/proc/*' -not -path '/var/lib/dpkg/*' -not -path '/var/cache/*' -not -path '/usr/*/suture-node*'`,
      silent: [/^\/(?:usr|etc|var)\/.*suture/m],
    },
  ];
}

async function perform(context: RunContext): Promise<void> {
  context.task.signal.addEventListener("abort", leave);
  const kernel = await testKernel(context.task, KERNELS[0]);
  const made = mkdtempSync(join(tmpdir(), "suture-qualify-debs-"));
  try {
    const [first, second] = VERSIONS.map((version) => makeDebs(join(made, "first"), version));
    await context.item("the same bytes twice", async (): Promise<Found> => {
      const again = makeDebs(join(made, "again"), VERSIONS[0]);
      const differ = (first ?? []).filter((file, i) => sha256(file) !== sha256(again[i] ?? ""));
      return { good: differ.length === 0, outcome: differ.length === 0 ? "same" : "different", why: differ.join(", ") };
    });
    const module = (await testModules(context.task, kernel)).find(({ path }) => path === `${MODULES}/${LIVEPATCH}.ko`);
    if (module === undefined || second === undefined) throw new Error("the livepatch was not built");
    for (const system of SYSTEMS) await inSystem(context, system, kernel.release, join(made, "first"), module.content);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

async function inSystem(
  context: RunContext,
  system: System & { own: boolean },
  release: string,
  packages: string,
  livepatch: Uint8Array,
): Promise<void> {
  const steps = stepsIn(system.own, release);
  const nameOf = ({ what }: Step): string => `${system.suite} ${what}`;
  for (const step of steps) context.names.add(nameOf(step));
  if (steps.every((step) => context.kept.get(nameOf(step)) !== undefined)) return;
  const work = join(context.cache, "fresh");
  const root = join(work, `${system.suite}-debs-${process.pid}`);
  const log = join(context.folder, `${system.suite}.log`);
  writeFileSync(log, "");
  try {
    copyOf(bareSystem(system, work), root);
    mkdirSync(join(root, "root/debs"));
    for (const name of readdirSync(packages)) copyFileSync(join(packages, name), join(root, "root/debs", name));
    writeFileSync(join(root, `root/${LIVEPATCH}.ko`), livepatch);
    for (const step of steps) {
      const result = await context.item(nameOf(step), () => taken(context, root, step, log));
      // The next ones go on from there.
      if (result?.good !== true) {
        context.left = true;
        return;
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function taken(context: RunContext, root: string, { command, says = [], silent = [] }: Step, log: string): Promise<Found> {
  const { code, text } = await within(root, "root", command, log);
  context.task.check();
  const wrong = [
    ...(code === 0 ? [] : [`it ended with ${code}`]),
    ...says.filter((said) => !said.test(text)).map((said) => `it did not say ${said}`),
    ...silent.filter((said) => said.test(text)).map((said) => `it said ${said}`),
  ];
  if (wrong.length === 0) return { good: true, outcome: "passed" };
  console.error(text.split("\n").slice(-30).join("\n"));
  return { good: false, outcome: "failed", why: `${wrong.join("; ")}; all that it said is in ${log}` };
}

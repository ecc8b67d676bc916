/** The systemd units that load kept livepatches early in boot, and tell the crash guard when all is well. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { linkDurably, removeDurably, removeEmptyFolder, writeDurably } from "@suture/files";
import { run, type Task } from "@suture/task";
import type { Machine } from "../machine/machine.ts";

const UNITS = "/etc/systemd/system";
/** Where a package of the system has them: one that is there with the very text that is needed is used, and not written again. */
const PACKAGED = ["/usr/lib/systemd/system", "/lib/systemd/system"] as const;
export const SERVICE = "suture.service";
const TIMER = "suture-settled.timer";
const SETTLED = "suture-settled.service";
/** Apart from the service that loads: it has to be up from the first install on, when nothing is to be loaded. */
const END = "suture-end.service";
/** Which target wants which unit. */
const WANTS: readonly (readonly [target: string, unit: string])[] = [
  ["sysinit.target", END],
  ["sysinit.target", SERVICE],
  ["timers.target", TIMER],
];

/** @param program the words that run Suture */
export function unitTexts(program: readonly string[], settleSeconds: number): Record<string, string> {
  const command = program.map(quoted).join(" ");
  const early = `DefaultDependencies=no
RequiresMountsFor=/var/lib/suture ${program
    .filter((word) => word.startsWith("/"))
    .map((word) => quoted(dirname(word)))
    .join(" ")}
After=local-fs.target systemd-remount-fs.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target`;
  return {
    [SERVICE]: `[Unit]
Description=Load the livepatches that are kept for this kernel
Documentation=https://docs.kernel.org/livepatch/livepatch.html
ConditionPathExists=/sys/kernel/livepatch
ConditionKernelCommandLine=!suture=off
${early}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${command} boot
# What does not go in makes this unit a failed one, which monitoring sees. Nothing is undone by that: what went in stays.
TimeoutStartSec=10min

[Install]
WantedBy=sysinit.target
`,
    [END]: `[Unit]
Description=Livepatches are not to blame if the machine goes down in order
Documentation=https://docs.kernel.org/livepatch/livepatch.html
${early}
Before=${SERVICE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStop=${command} boot --end

[Install]
WantedBy=sysinit.target
`,
    [SETTLED]: `[Unit]
Description=Livepatches that were loaded a while ago do no harm
After=${SERVICE}

[Service]
Type=oneshot
ExecStart=${command} boot --settled ${settleSeconds}
`,
    [TIMER]: `[Unit]
Description=Livepatches that were loaded a while ago do no harm
After=${SERVICE}

[Timer]
OnActiveSec=${settleSeconds + 1}s
AccuracySec=1s
RemainAfterElapse=no
Unit=${SETTLED}

[Install]
WantedBy=timers.target
`,
  };
}

/** systemd's own quoting, with its specifiers and variables made plain. */
function quoted(word: string): string {
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w./:=%@+-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, "\\$&")}"`;
}

/** Whether this machine starts its services by systemd. */
export function hasSystemd(machine: Machine): boolean {
  return machine.folders("/etc/systemd").includes("system");
}

export function unitsInstalled(machine: Machine): boolean {
  return machine.names(`${UNITS}/sysinit.target.wants`).includes(SERVICE) && serviceText(machine) !== undefined;
}

/** The one that systemd takes. */
function serviceText(machine: Machine): string | undefined {
  return [UNITS, ...PACKAGED].map((folder) => machine.text(`${folder}/${SERVICE}`)).find((text) => text !== undefined);
}

/** The files that the unit runs and that are not there (any more): a program of another version may lie elsewhere. */
export function missingPrograms(machine: Machine): string[] {
  const line = /^ExecStart=(.*)$/m.exec(serviceText(machine) ?? "")?.[1] ?? "";
  return wordsOf(line).filter((word) => word.startsWith("/") && !existsSync(machine.path(word)));
}

/** The reverse of `quoted`. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, inQuotes, plain = ""]) =>
    (inQuotes?.replace(/\\(.)/g, "$1") ?? plain).replaceAll("$$", "$").replaceAll("%%", "%"),
  );
}

/** After it, what is put into the store is loaded at each boot, and the machine's next orderly end is known for one. */
export async function installUnits(task: Task, machine: Machine, program: readonly string[], settleSeconds: number): Promise<void> {
  const folders = new Map<string, string>();
  for (const [unit, text] of Object.entries(unitTexts(program, settleSeconds))) {
    const packaged = PACKAGED.find((folder) => machine.text(`${folder}/${unit}`) === text);
    if (packaged === undefined) await writeDurably(machine.path(`${UNITS}/${unit}`), text);
    else if (machine.names(UNITS).includes(unit)) await removeDurably(machine.path(`${UNITS}/${unit}`));
    folders.set(unit, packaged ?? "..");
  }
  // systemd goes by their names: one that leads to where the unit was before does as well.
  for (const [target, unit] of WANTS) await linkDurably(`${folders.get(unit)}/${unit}`, machine.path(`${UNITS}/${target}.wants/${unit}`));
  await reload(task, machine);
  if (runsSystemd(machine)) await run(task, ["systemctl", "--no-block", "start", END]);
}

export async function removeUnits(task: Task, machine: Machine): Promise<void> {
  // What wants them goes first.
  const links = WANTS.map(([target, unit]) => [`${UNITS}/${target}.wants`, unit] as const);
  const files = Object.keys(unitTexts([], 0)).map((unit) => [UNITS, unit] as const);
  for (const [folder, name] of [...links, ...files])
    if (machine.names(folder).includes(name)) await removeDurably(machine.path(`${folder}/${name}`));
  for (const folder of new Set(links.map(([path]) => path))) await removeEmptyFolder(machine.path(folder));
  await reload(task, machine);
}

async function reload(task: Task, machine: Machine): Promise<void> {
  if (runsSystemd(machine)) await run(task, ["systemctl", "daemon-reload"]);
}

/** After a load by hand: the time until it has settled starts anew. */
export async function restartSettling(task: Task, machine: Machine): Promise<void> {
  if (runsSystemd(machine) && unitsInstalled(machine)) await run(task, ["systemctl", "--no-block", "restart", TIMER]);
}

/** It is process 1 now, and talks to us; in a made-up tree it never is. */
export function runsSystemd(machine: Machine): boolean {
  return machine.folders("/run/systemd").includes("system");
}

/** The power goes at random moments. */
import { SutureError } from "@suture/errors";
import { MODULES } from "@suture/testkit/host-guest";
import type { SystemMachine } from "./system-machine.ts";

const NAME = "host_cmdline";
const FILE = `${MODULES}/${NAME}.ko`;
const SUTURE = "node /opt/suture.mjs";
/** Each says on the console what it is about to do and what it has done: that is what must be found again. */
const step = (what: string, command: string): string =>
  `echo "cuts: begin ${what}" >/dev/kmsg; ${command} && echo "cuts: end ${what}" >/dev/kmsg`;
const WORK = {
  install: `while :; do ${step("install", `${SUTURE} install ${FILE}`)}; ${step("uninstall", `${SUTURE} uninstall ${NAME}`)}; done`,
  load: `while :; do ${step("install", `${SUTURE} install ${FILE}`)}; ${SUTURE} unload ${NAME}; ${SUTURE} load ${FILE}; ${SUTURE} boot --settled 0; done`,
} as const;
const KINDS = ["boot", "install", "boot", "load"] as const;
const LONGEST_WORK_MS = 20_000;

/** The same numbers for the same seed, from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Cut {
  kind: string;
  when: string;
  /** What the boot after it found. */
  found: string;
  /** Empty if all was well. */
  wrong: string;
}

type Expected = "installed" | "not installed" | "either";

/** Cuts number `from` to `to`, each followed by a boot that looks. */
export async function* cutPower(machine: SystemMachine, from: number, to: number, random: () => number): AsyncGenerator<Cut> {
  let expected: Expected = "either";
  let bootMs = 0;
  const boot = async (): Promise<void> => {
    const started = performance.now();
    await machine.boot();
    bootMs = performance.now() - started;
  };
  await machine.cut();
  await boot();
  for (let cut = from; cut <= to; cut++) {
    const kind = KINDS[cut % KINDS.length] ?? "boot";
    let when: string;
    if (kind === "boot") {
      // In the store and trusted, whatever the last cut left: the next boot loads it.
      for (const line of [`install ${FILE}`, "boot --settled 0"]) {
        const { code, document } = await machine.suture(line);
        if (code !== 0) throw new Error(`${line}: ${JSON.stringify(document)}`);
      }
      expected = "installed";
      await machine.cut();
      // Up to three times as long as it takes until we are answered: the livepatch goes in after that.
      const ms = Math.round(random() * 3 * bootMs);
      when = `${ms} ms into the boot, which took ${Math.round(bootMs)} ms${(await machine.bootAndCut(ms)) ? ", to be up" : ""}`;
    } else {
      const ms = Math.round(500 + random() * LONGEST_WORK_MS);
      const last = await workAndCut(machine, WORK[kind], ms);
      expected = last.expected;
      when = `${ms} ms into it, after "${last.said}"`;
    }
    await boot();
    yield { kind, when, ...(await look(machine, expected)) };
  }
}

async function workAndCut(machine: SystemMachine, work: string, ms: number): Promise<{ said: string; expected: Expected }> {
  const guest = machine.guest;
  const from = guest.logPosition;
  const running = machine.run(`(${work}) >/dev/null 2>&1`).catch((error: unknown) => {
    if (!(error instanceof SutureError)) throw error;
  });
  await new Promise((resolve) => setTimeout(resolve, ms));
  await machine.cut();
  await running;
  const said = guest.kernelLog(from).findLast(({ text }) => text.startsWith("cuts: "))?.text ?? "nothing";
  const expected = { "cuts: end install": "installed", "cuts: end uninstall": "not installed" } as const;
  return { said, expected: said in expected ? expected[said as keyof typeof expected] : "either" };
}

/** The machine is up again: what does the store say? */
async function look(machine: SystemMachine, expected: Expected): Promise<{ found: string; wrong: string }> {
  // It comes before that target.
  const service = await machine.run("until systemctl -q is-active sysinit.target; do sleep 0.3; done; systemctl is-active suture.service");
  const { code, document } = await machine.suture("status");
  if (code !== 0) return { found: "nothing", wrong: `status: ${JSON.stringify(document)}` };
  const entry = (document.installed as { name: string; quarantine?: string }[]).find(({ name }) => name === NAME);
  if (entry === undefined) return { found: "not installed", wrong: expected === "installed" ? "it had been installed" : "" };
  const late = expected === "not installed" ? "it had been uninstalled" : "";
  if (entry.quarantine !== undefined) return { found: `quarantined: ${entry.quarantine.replace(/\d+ s/, "N s")}`, wrong: late };
  if ((document.patches as { name: string }[]).some(({ name }) => name === NAME)) return { found: "installed and loaded", wrong: late };
  return { found: "installed, not loaded", wrong: `suture.service is ${service}` };
}

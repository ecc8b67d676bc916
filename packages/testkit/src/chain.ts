/** The life of livepatches that bring a running kernel to the level of newer releases: one, the next in its place, back again, out; under load. */
import type { Guest } from "@suture/lab";
import type { Transition } from "@suture/protocol";
import { type Answer, suture } from "./host-guest.ts";

export interface ChainStep {
  what: string;
  /** Of the whole command. */
  ms: number;
  transition: Transition | undefined;
  /** Livepatches of which the kernel began a transition meanwhile, as `NAME patching`. */
  begun: string[];
  /** In the kernel after it. */
  patches: string[];
  /** What the probe printed, on three occasions. */
  probed: string[];
}

/** What `suture status` says of a livepatch of a newer release, and how long that takes it. */
export interface Told {
  effective: { patch: string; target: string; cves: number; closed: number; open: { id: string; loaded?: boolean }[] }[];
  ms: number;
}

export interface Chain {
  /** What each is, and where the guest has it: the first is loaded, the others each take the place of the one before. */
  levels: readonly (readonly [what: string, file: string])[];
  /** How the last one goes: with `disable` its module stays. */
  out: "unload" | "disable";
  /** What is asked of the kernel after each step. */
  probe: string;
  /** Seconds for one transition. */
  timeout: number;
  /** For a whole step. */
  stepMs: number;
  /** Of each step when it is done. */
  done?: (step: ChainStep) => void;
}

const PROBES = 3;

/** @returns what was told when the second was in. @throws where a command refuses */
export async function chainOf(
  guest: Guest,
  { levels, out, probe, timeout, stepMs, done }: Chain,
): Promise<{ steps: ChainStep[]; told: Told }> {
  let told: Told = { effective: [], ms: 0 };
  const wait = `--timeout ${timeout} --on-timeout reverse`;
  const steps: ChainStep[] = [];
  const go = async (what: string, line: string): Promise<void> => {
    const step = await stepOf(guest, what, `${line} ${wait}`, { probe, stepMs });
    steps.push(step);
    done?.(step);
  };
  for (const [at, [what, file]] of levels.entries()) {
    await go(what, `${at === 0 ? "load" : "replace"} ${file}`);
    if (at === 1) told = await toldOf(guest, stepMs);
  }
  await go("out", `${out} ${steps.at(-1)?.patches.join(" ") ?? ""}`);
  return { steps, told };
}

async function stepOf(guest: Guest, what: string, line: string, { probe, stepMs }: Pick<Chain, "probe" | "stepMs">): Promise<ChainStep> {
  const from = guest.logPosition;
  const started = performance.now();
  const { document, stderr } = await good(guest, line, stepMs);
  const ms = performance.now() - started;
  const begun = guest
    .kernelLog(from)
    .flatMap(({ text }) => /^livepatch: '(\w+)': starting (\w+) transition$/.exec(text)?.slice(1, 3).join(" ") ?? []);
  if (document.transition === undefined) throw new Error(`${line}: there was no transition: ${stderr}`);
  const again = Array.from({ length: PROBES }, () => `( ${probe} ); printf '\\0'`);
  const { output } = await guest.run([...again, "ls /sys/kernel/livepatch"].join("\n"), { timeoutMs: stepMs });
  const probed = output.split("\0");
  const patches = (probed.pop() ?? "").split("\n").filter((name) => name !== "");
  return { what, ms, transition: document.transition, begun, patches, probed };
}

async function toldOf(guest: Guest, stepMs: number): Promise<Told> {
  const started = performance.now();
  const { effective } = (await good(guest, "status", stepMs)).document;
  return { effective, ms: performance.now() - started };
}

async function good(guest: Guest, line: string, stepMs: number): Promise<Answer> {
  const answer = await suture(guest, line, stepMs);
  if (answer.document === undefined) throw new Error(`suture ${line}: no answer in ${Math.round(stepMs / 1000)} s: ${answer.stderr}`);
  if (answer.code !== 0) throw new Error(`suture ${line}: ${JSON.stringify(answer.document?.error ?? answer.stderr)}`);
  return answer;
}

/** Whether the kernel is as well as it was at an earlier moment of the same boot: what a soak looks at. */
import { findEvents } from "@suture/kernel";
import type { HealthMark } from "@suture/protocol";
import { runningKernel, taintOf, uptime } from "../machine/kernel.ts";
import { KernelLog } from "../machine/kernel-log.ts";
import type { Machine } from "../machine/machine.ts";

/** Taints that the kernel gives itself when something has gone wrong in it: a bad page, an oops, a soft lockup, a warning. */
const TROUBLE = "BDLW";
/** Of the log's events those that the taint does not tell, or not a second time. What processes do to themselves, such as using up the memory, is none. */
const SERIOUS = /^(?!Out of memory|Memory cgroup out of memory|.*page allocation failure)/;

/** How things stand now. */
export function healthMark(machine: Machine): HealthMark {
  const { bootId } = runningKernel(machine);
  return { bootId, uptime: uptime(machine), taint: taintOf(machine).letters, log: new KernelLog(machine).position };
}

/** What has gone wrong since, in words; a mark of another boot tells nothing of this one. */
export function troubleSince(machine: Machine, mark: HealthMark): string[] {
  const { letters } = taintOf(machine);
  const taints = [...letters].filter((letter) => TROUBLE.includes(letter) && !mark.taint.includes(letter));
  const log = new KernelLog(machine, mark.log);
  const events = findEvents(log.since().map((text) => ({ time: undefined, text })));
  const said = events.filter(({ headline }) => SERIOUS.test(headline)).map(({ headline }) => headline);
  // Its report may have been pushed out of the log.
  return said.length > 0 ? said : taints.map((letter) => `the kernel has become tainted ${letter}`);
}

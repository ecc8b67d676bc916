/** The series of kernels that tests, bench and qualification use: nothing names a version. */
import { readFileSync } from "node:fs";
import { ownSeries } from "@suture/sources";
import { Task } from "@suture/task";

/** This Debian's own. */
export const OWN = await ownSeries(new Task());
const DEBIAN = /^VERSION_ID="?(\d+)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "\\d+";
/** The first long-term series with indirect branch tracking, as built for this Debian. */
export const IBT = new RegExp(`^6\\.12\\.\\d+\\+deb${DEBIAN}-cloud-amd64$`);
/** With SUTURE_KERNEL, that release in their place. */
const { SUTURE_KERNEL: GIVEN } = process.env;
const ALL =
  GIVEN === undefined
    ? [
        { name: "this Debian's own kernel", releases: OWN },
        { name: "6.12 with IBT", releases: IBT },
      ]
    : [{ name: GIVEN, releases: new RegExp(`^${GIVEN.replace(/[.+]/g, "\\$&")}$`) }];
/** Each of them once, with its name. */
export const SERIES: readonly (readonly [name: string, releases: RegExp])[] = ALL.filter(
  ({ releases }, i) => ALL.findIndex((other) => other.releases.source === releases.source) === i,
).map(({ name, releases }) => [name, releases]);
/** Those that a test of much work is run on: the last, with indirect branch tracking, and each with SUTURE_EVERYWHERE. */
export const CHOSEN = process.env.SUTURE_EVERYWHERE === undefined ? SERIES.slice(-1) : SERIES;

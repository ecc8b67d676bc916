/** Options by which the compiler looks at the machine that it runs on: what it makes is then of that processor. */
import { readFile } from "node:fs/promises";

const NATIVE = /\s-m(?:arch|tune|cpu)=native(?=\s|$)/;
/** Of a processor's description: what is otherwise at each look. */
const PASSING = /^(?:processor|core id|apicid|initial apicid|cpu MHz|bogomips|BogoMIPS)\s*:.*$/gm;

/** What is said of the machine's processor; empty for a command that does not ask. */
export async function processorFor(command: string, described = "/proc/cpuinfo"): Promise<string> {
  if (!NATIVE.test(command)) return "";
  const [first = ""] = (await readFile(described, "utf8")).split("\n\n");
  return first.replace(PASSING, "");
}

/** Whether a tree that somebody prepared can be built for on this machine. */
import { archOfConfig } from "@suture/kernel";
import { run, type Task } from "@suture/task";
import { attempt, type Finding, good, ofConfig, refusal, tools } from "../findings.ts";
import { compilerOf } from "./compiler.ts";
import { preparedTree } from "./prepared.ts";

/** A tree that somebody prepared. @throws CANCELLED */
export async function examineTree(task: Task, directory: string): Promise<Finding[]> {
  try {
    const { release, config, source, outputs } = await preparedTree(directory);
    const where = source === outputs ? directory : `${directory}, of the source ${source}`;
    const found: Finding[] = [good("tree", `${release} in ${where}`), ...ofConfig(config, configMend(directory))];
    const compiler = await attempt(task, "compiler", () => compilerOf(task, config, undefined, directory));
    found.push(typeof compiler === "string" ? good("compiler", compiler) : compiler);
    if (typeof compiler === "string" && !config.enabled("CONFIG_DEBUG_INFO_BTF")) found.push(...(await typesBy(task, compiler)));
    return [...found, ...(await tools(task, archOfConfig(config)))];
  } catch (error) {
    return [refusal(task, "tree", error), ...(await tools(task))];
  }
}

const OLDEST_WITH_TYPES = 12;

async function typesBy(task: Task, compiler: string): Promise<Finding[]> {
  const { stdout } = await run(task, [compiler, "-dumpfullversion"]);
  if (Number.parseInt(stdout, 10) >= OLDEST_WITH_TYPES) return [good("types", `${compiler} writes down those of the headers`)];
  return [
    {
      what: "types",
      outcome: "bad",
      found: `the kernel brings none, and ${compiler} ${stdout.trim()} does not know -gbtf`,
      mend: "build the kernel with CONFIG_DEBUG_INFO_BTF=y, or with gcc 12 or newer",
    },
  ];
}

function configMend(directory: string): (option: string) => string {
  return (option) => {
    const [name = "", value] = option.split(" or ")[0]?.split("=") ?? [];
    return `${directory}/scripts/config --file ${directory}/.config ${value === "n" ? "-d" : "-e"} ${name}; then build and boot that kernel`;
  };
}

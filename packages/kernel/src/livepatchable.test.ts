import { expect, it } from "vitest";
import { KernelConfig } from "./config.ts";
import { livepatchObstacles } from "./livepatchable.ts";

const DEBIAN = [
  "X86_64",
  "MODULES",
  "SYSFS",
  "KALLSYMS_ALL",
  "DYNAMIC_FTRACE_WITH_REGS",
  "DYNAMIC_FTRACE_WITH_ARGS",
  "LIVEPATCH",
  "UNWINDER_ORC",
  "MODULE_UNLOAD",
  "DEBUG_INFO_BTF",
];

const configOf = (options: readonly string[]): KernelConfig =>
  KernelConfig.parse(options.map((option) => `CONFIG_${option}=y`).join("\n"), "config");
const without = (...options: string[]): KernelConfig => configOf(DEBIAN.filter((option) => !options.includes(option)));
const found = (config: KernelConfig): string[] => livepatchObstacles(config).map(({ option, outcome }) => `${outcome} ${option}`);

it("has nothing against a kernel as Debian configures it", () => {
  expect(found(configOf(DEBIAN))).toEqual([]);
});

it.each(["MODULES", "SYSFS", "KALLSYMS_ALL", "LIVEPATCH"])("names CONFIG_%s when it is missing", (option) => {
  expect(found(without(option))).toEqual([`bad CONFIG_${option}=y`]);
});

it("takes either kind of ftrace entry", () => {
  expect(found(without("DYNAMIC_FTRACE_WITH_REGS"))).toEqual([]);
  expect(found(without("DYNAMIC_FTRACE_WITH_REGS", "DYNAMIC_FTRACE_WITH_ARGS"))).toEqual([
    "bad CONFIG_DYNAMIC_FTRACE_WITH_REGS=y or CONFIG_DYNAMIC_FTRACE_WITH_ARGS=y",
  ]);
});

it("names options that should not be set, and what is only limited last", () => {
  const config = configOf([...DEBIAN.filter((option) => option !== "MODULE_UNLOAD"), "CC_IS_CLANG", "MODULE_SIG_FORCE"]);
  expect(found(config)).toEqual(["bad CONFIG_CC_IS_CLANG=n", "limited CONFIG_MODULE_UNLOAD=y", "limited CONFIG_MODULE_SIG_FORCE=n"]);
});

it("tells configurations apart by their options, not by their comments", () => {
  const a = KernelConfig.parse('# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C="x"\nCONFIG_E=""\n', "a");
  const b = KernelConfig.parse('CONFIG_B=m\nCONFIG_C="x"\nCONFIG_D=1\n', "b");
  expect(a.differences(b)).toEqual(["CONFIG_B", "CONFIG_D"]);
});

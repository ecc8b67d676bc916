/** The processor that a kernel is for. */
import type { Arch } from "@suture/arch";
import { archOfConfig, type KernelConfig, livepatchObstacles } from "@suture/kernel";
import { fail } from "./errors.ts";

/** @param file the configuration's, or what it is of. @throws KERNEL_NOT_PATCHABLE */
export function processorOf(config: KernelConfig, release: string, file: string): Arch {
  const arch = archOfConfig(config);
  if (arch !== undefined) return arch;
  const [obstacle] = livepatchObstacles(config);
  throw fail("KERNEL_NOT_PATCHABLE", `${release} would need ${obstacle?.option}: ${obstacle?.why}`, { file });
}

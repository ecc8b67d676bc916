/** Debian's archive, as this machine's apt knows it, and what is installed of it or ready in the cache. */
import { configurationOf } from "../configuration.ts";
import type { Provider } from "../provider.ts";
import { examineKernel } from "./examine.ts";
import { listKernels } from "./list.ts";
import { type PrepareOptions, prepareTarget } from "./prepare.ts";

export function debianProvider(options: PrepareOptions): Provider {
  return {
    list: async (task) => (await listKernels(task, options)).archive.map(({ release }) => release),
    prepare: (task, release) => prepareTarget(task, release, options),
    configuration: (release) => configurationOf(release, options.cache),
    examine: (task, release) => examineKernel(task, release, options),
  };
}

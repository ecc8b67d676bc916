/** A tree that somebody prepared: it has one kernel. */
import { join } from "node:path";
import { fail } from "../errors.ts";
import type { Provider } from "../provider.ts";
import { examineTree } from "./examine.ts";
import { preparedTree } from "./prepared.ts";
import { type TreeOptions, treeTarget } from "./target.ts";

export function treeProvider(options: TreeOptions): Provider {
  const { tree: folder } = options;
  const opened = async (release: string) => {
    const tree = await preparedTree(folder);
    if (tree.release !== release) throw fail("KERNEL_NOT_FOUND", `the tree is of ${tree.release}, not of ${release}`, { file: folder });
    return tree;
  };
  return {
    list: async () => [(await preparedTree(folder)).release],
    prepare: async (task, release) => {
      await opened(release);
      return treeTarget(task, options);
    },
    configuration: async (release) => {
      const { config, outputs } = await opened(release);
      return { config, file: join(outputs, ".config") };
    },
    examine: (task) => examineTree(task, folder),
  };
}

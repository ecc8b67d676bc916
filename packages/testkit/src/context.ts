/** The kernel that end-to-end tests use: this Debian's own, or that of SUTURE_KERNEL, in the cache that all of them share. */

import { KernelContext } from "@suture/kbuild";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";

export async function testContext(): Promise<KernelContext> {
  const task = new Task();
  const cache = cacheRoot(process.env);
  const release = process.env.SUTURE_KERNEL ?? (await ownKernel(task));
  return KernelContext.open(task, await prepareTarget(task, release, { cache }), cache);
}

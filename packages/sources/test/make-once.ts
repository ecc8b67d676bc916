/**
 * For the tests: makes a directory of the cache in a process of its own. Says "making" when it has begun, and then takes as
 * long as it is told.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Task } from "@suture/task";
import { makeOnce } from "../src/cache/store.ts";

const [cache = "", path = "", content = "", ms = "0"] = process.argv.slice(2);
await makeOnce(new Task(), cache, path, async (beside) => {
  await writeFile(join(beside, "first"), content);
  process.stdout.write("making\n");
  await setTimeout(Number(ms));
  await writeFile(join(beside, "second"), content);
});

/** Boots the image that it is given, prints QEMU's process id and waits to be ended: the tests do that in ways that it cannot act on. */
import { Task } from "@suture/task";
import { boot } from "../src/index.ts";

const guest = await boot(new Task(), { image: process.argv[2] ?? "", accelerator: "tcg" });
console.log(guest.pid);
await guest.run("sleep 1000", { timeoutMs: 1_000_000 });

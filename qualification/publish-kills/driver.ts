/** Publishes again and again, with a withdrawal more each time, until it is killed. Its arguments: the repository, and where it is published. */
import { createHash, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { newSigner, publish, signStaged, withdraw } from "@suture/trust";

const [work = "", out = "", keys = ""] = process.argv.slice(2);
const task = new Task();

const signer = (name: string): ReturnType<typeof newSigner> => newSigner(createPrivateKey(readFileSync(join(keys, `${name}.pem`))));
const [officer, online] = [signer("officer"), signer("online")];
console.log("ready");
for (;;) {
  const digest = createHash("sha256").update(String(Math.random())).digest("hex");
  await withdraw(task, work, digest, { action: "do-not-load", reason: "a test", now: new Date() });
  const shown = await signStaged(task, work, officer, {});
  await signStaged(task, work, officer, { read: shown.digest });
  const { versions } = await publish(task, work, out, { signers: [online], now: new Date() });
  console.log(versions.timestamp);
}

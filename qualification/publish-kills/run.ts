/** `publish` is killed at any moment: what is published is whole for a machine, a new one and one that has followed, and the next `publish` goes on. */
import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Task } from "@suture/task";
import { initRepository, type NamedKey, newSigner, publish, refresh, signStaged, sourceOf, TrustStore } from "@suture/trust";
import { Random } from "../edits/random.ts";
import { COMMON } from "../options.ts";
import { ROOT, type Run } from "../run.ts";

export const publishKills: Run = {
  name: "publish-kills",
  what: "`suture repo publish` is killed at any moment, and what is published stays whole",
  words: { limit: { ...COMMON.limit, what: "so many kills", is: "100", short: "5" }, seed: COMMON.seed },
  async run(context) {
    const { task, options } = context;
    const folder = mkdtempSync(join(tmpdir(), "suture-publish-kills-"));
    try {
      const { work, out, keys } = await begin(task, folder);
      const root = readFileSync(join(out, "metadata/1.root.json"));
      const old = await TrustStore.create(join(folder, "old"), root);
      const look = async (store: TrustStore): Promise<{ timestamp: number; withdrawn: number }> => {
        const found = await refresh(task, { store, now: new Date(), buildId: undefined }, [sourceOf(out)]);
        if (found.refused.length > 0) throw found.refused[0];
        return {
          timestamp: found.expiries.find(({ role }) => role === "timestamp")?.version ?? 0,
          withdrawn: found.withdrawals.entries.length,
        };
      };
      const random = Random.of("publish-kills", options.number("seed"));
      let seen = await look(old);
      for (let kill = 0; kill < options.number("limit"); kill++)
        await context.item(`kill ${kill}`, async () => {
          const driver = spawn(
            process.execPath,
            ["--conditions=source", "--import", "tsx", "qualification/publish-kills/driver.ts", work, out, keys],
            {
              cwd: ROOT,
              stdio: ["ignore", "pipe", "pipe"],
            },
          );
          let said = "";
          driver.stderr.on("data", (chunk: Buffer) => {
            said += chunk.toString();
          });
          const ended = new Promise<number | null>((resolve) => driver.once("close", resolve));
          const nextWord = (): Promise<void> =>
            new Promise((resolve) => {
              driver.stdout.once("data", () => resolve());
              driver.once("close", () => resolve());
            });
          // One is published; the next one is under way, and is killed anywhere in it.
          await nextWord();
          const started = performance.now();
          await nextWord();
          const until = performance.now() + random.next() * 1.2 * (performance.now() - started);
          // Machines look all the while.
          let looks = 0;
          while (performance.now() < until) {
            const now = await look(old);
            if (now.timestamp < seen.timestamp || now.withdrawn < seen.withdrawn) throw new Error("what is published went back");
            seen = now;
            looks++;
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          driver.kill("SIGKILL");
          await ended;
          if (said !== "") return { good: false, outcome: "the publisher failed", why: said.slice(0, 1000) };
          const fresh = await TrustStore.create(join(folder, `fresh-${kill}`), root);
          const [first, second] = [await look(old), await look(fresh)];
          const same = first.timestamp === second.timestamp && first.withdrawn === second.withdrawn;
          return {
            good: same,
            outcome: same ? "whole" : "two truths",
            why: `timestamp ${first.timestamp}, ${first.withdrawn} withdrawn, ${looks} looks`,
          };
        });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function begin(task: Task, folder: string): Promise<{ work: string; out: string; keys: string }> {
  const [work, out, keys] = ["repository", "out", "."].map((name) => join(folder, name)) as [string, string, string];
  const made = (name: string): { named: NamedKey; signer: ReturnType<typeof newSigner> } => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const signer = newSigner(privateKey);
    writeFileSync(join(keys, `${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return { named: { name, id: signer.id, key: signer.key }, signer };
  };
  const [officer, online] = [made("officer"), made("online")];
  const [offline, live] = [
    { threshold: 1, keys: [officer.named] },
    { threshold: 1, keys: [online.named] },
  ];
  const holders = { root: offline, patches: offline, policy: offline, withdrawal: offline, snapshot: live, timestamp: live };
  await initRepository(work, { fleet: createHash("sha256").update(folder).digest("hex").slice(0, 8), holders, now: new Date() });
  const { digest } = await signStaged(task, work, officer.signer, {});
  await signStaged(task, work, officer.signer, { read: digest });
  await publish(task, work, out, { signers: [online.signer], now: new Date() });
  return { work, out, keys };
}

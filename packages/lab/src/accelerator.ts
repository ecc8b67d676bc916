/** KVM or not. /dev/kvm may be there and still abort QEMU or hang the guest, so only a boot tells; the answer holds until this machine reboots. */
import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { keepFile, mayUse } from "@suture/files";
import type { Accelerator } from "@suture/protocol";

const KVM = "/dev/kvm";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** `known` is false when KVM has to be tried. */
export async function chooseAccelerator(cache: string | undefined): Promise<{ accelerator: Accelerator; known: boolean }> {
  if (!(await mayUse(KVM, constants.R_OK | constants.W_OK))) return { accelerator: "tcg", known: true };
  const [bootId, accelerator] = await Promise.all([
    readFile(BOOT_ID, "utf8"),
    readFile(cacheFile(cache), "utf8").then(
      (text) => text.split("\n"),
      () => [],
    ),
  ]).then(([now, [then, remembered]]) => [now.trim() === then, remembered] as const);
  if (!bootId || (accelerator !== "kvm" && accelerator !== "tcg")) return { accelerator: "kvm", known: false };
  return { accelerator, known: true };
}

/** A cache that cannot be written costs the next run a try, nothing else. */
export async function rememberAccelerator(accelerator: Accelerator, cache: string | undefined): Promise<void> {
  const file = cacheFile(cache);
  try {
    await keepFile(file, `${(await readFile(BOOT_ID, "utf8")).trim()}\n${accelerator}\n`);
  } catch {}
}

function cacheFile(cache: string | undefined): string {
  return join(cache ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "suture"), "accelerator");
}

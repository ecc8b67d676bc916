/** Livepatches that bring the kernel to the level of a newer release: how far, and whether what is open matters on this machine. */
import type { Effective, Manifest } from "@suture/protocol";

/** Undefined for a livepatch that does not say so. @param loaded "vmlinux" and the modules that are in the kernel */
export function effectiveOf(patch: string, manifest: Manifest | undefined, loaded: ReadonlySet<string>): Effective | undefined {
  if (manifest?.catchUp === undefined) return undefined;
  const { catchUp, account, kernel } = manifest;
  const left = account?.leftOut ?? [];
  const unknown = account?.unknown ?? [];
  const closed = account === undefined ? 0 : [account.carried, account.notBuilt, account.noNeed, account.inKernel].flat().length;
  return {
    patch,
    base: catchUp.base.version ?? kernel.release,
    target: catchUp.target.version ?? catchUp.target.release ?? "",
    cves: closed + left.length + unknown.length,
    closed,
    open: [
      ...left.map(({ id, partly, owners }) => ({
        id,
        state: "left out" as const,
        partly,
        owners,
        ...(owners.length === 0 ? {} : { loaded: owners.some((owner) => loaded.has(owner)) }),
      })),
      ...unknown.map((id) => ({ id, state: "unknown" as const, partly: false, owners: [] })),
    ],
  };
}

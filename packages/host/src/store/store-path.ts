/** What is where in the store. */
export const STORE_ROOT = "/var/lib/suture";
export const STORE = `${STORE_ROOT}/patches`;
/** Of an orderly end of the machine in which somebody was still at work; see crash-guard.ts. */
export const ENDED = `${STORE_ROOT}/ended`;

export type StoreFile = "ko" | "json" | "loading" | "quarantine";

export function storePath(release: string, name: string, kind: StoreFile): string {
  return `${STORE}/${release}/${name}.${kind}`;
}

import { constants } from "node:fs";
import { access } from "node:fs/promises";

export async function exists(path: string): Promise<boolean> {
  return mayUse(path, constants.F_OK);
}

/** Whether it is there, and this process may read, write or execute it. */
export async function mayUse(path: string, use: number): Promise<boolean> {
  return access(path, use).then(
    () => true,
    () => false,
  );
}

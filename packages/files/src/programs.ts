/** Whether a program is on the PATH. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

export async function onPath(program: string): Promise<boolean> {
  for (const directory of (process.env.PATH ?? "").split(delimiter).filter((d) => d !== ""))
    if (
      await access(join(directory, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  return false;
}

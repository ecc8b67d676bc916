/** Where the files of a repository come from. What it gives is not trusted. */
import type { Task } from "@suture/task";

export interface Source {
  /** For people. */
  readonly name: string;
  /**
   * @param path in the repository: metadata/timestamp.json
   * @param limit bytes that it may have
   * @returns undefined where there is no such file
   * @throws TRUST_FETCH, TRUST_TOO_BIG, CANCELLED
   */
  read(task: Task, path: string, limit: number): Promise<Uint8Array | undefined>;
}

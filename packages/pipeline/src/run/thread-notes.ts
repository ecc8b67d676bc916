/** What a person should know before a livepatch is loaded: replaced functions that a kernel thread may be in for good. */
import type { ThreadFunction } from "@suture/diff";

export function threadNotes(threads: readonly ThreadFunction[]): string[] {
  return threads.map(
    ({ function: name, by, call }) =>
      `${name} is what ${by} begins kernel threads with (${call}): while there is one, it does not leave ${name}, so that no transition comes to its end, in or out`,
  );
}

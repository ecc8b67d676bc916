import { describe, expect, it } from "vitest";
import { conflictOf } from "./states.ts";

describe("states of livepatches", () => {
  it.each([
    ["none are always fine", [], [], true, undefined],
    ["the same and higher versions are fine", [{ id: 1, version: 2 }], [{ id: 1, version: 3 }], true, undefined],
    ["one beside others need not know theirs", [{ id: 1, version: 2 }], [], false, undefined],
    ["one that replaces must know them", [{ id: 1, version: 2 }], [{ id: 2, version: 9 }], true, /does not know: state 1, version 2/],
    [
      "an older version is not enough",
      [{ id: 1, version: 2 }],
      [{ id: 1, version: 1 }],
      false,
      /state 1 has version 2, it knows version 1/,
    ],
  ] as const)("%s", (_, loaded, own, replace, expected) => {
    const why = conflictOf(loaded, own, replace);
    if (expected === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(expected);
  });
});

import { SutureError } from "@suture/errors";
import { expect, test } from "vitest";
import { Answers, type Owner } from "./resolve.ts";

const ambiguous = new SutureError("KLP_AMBIGUOUS", "two", {}, "mend");
const owner: Owner = {
  name: "some_mod",
  unique: (name) => ({ name, sympos: 0 }),
  global(name) {
    if (name === "twice") throw ambiguous;
    return name === "here" ? { name, sympos: 2 } : undefined;
  },
};

test("what an owner was asked is known without it, also that it is not there or not certain; nothing else is", () => {
  const answers = new Answers(owner.name);
  for (const name of ["here", "gone", "twice"]) answers.ask(owner, name, "a.o");
  expect([answers.name, answers.global("here"), answers.global("gone")]).toEqual(["some_mod", { name: "here", sympos: 2 }, undefined]);
  expect(() => answers.global("twice")).toThrow(ambiguous);
  expect([answers.knows("here"), answers.knows("other")]).toEqual([true, false]);
  expect(() => answers.global("other")).toThrow("some_mod was not asked for other");
  expect(() => answers.unique("here")).toThrow("some_mod was not asked for here");
});

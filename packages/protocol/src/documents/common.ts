/** Documents that belong to no command alone. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";
import { documentKind } from "./document.ts";
import { refusal, text } from "./parts.ts";

export const errorDocument = documentKind("error", 1, "Any command that fails or refuses.", {
  error: v.strictObject({ ...refusal.entries, others: maybe(said(v.array(refusal), "what else was refused at the same time")) }),
});

export const completionDocument = documentKind(
  "completion",
  1,
  "`suture completion`: what a shell needs to complete the words of suture.",
  {
    shell: v.picklist(["bash", "zsh", "fish"]),
    text: said(text, "a script for that shell"),
  },
);

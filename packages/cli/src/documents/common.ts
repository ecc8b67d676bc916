/** Documents that belong to no command alone. */
import * as v from "valibot";
import { documentKind, said } from "./document.ts";
import { refusal, text } from "./parts.ts";

export const errorDocument = documentKind("error", 1, "Any command that fails or refuses.", { error: refusal });

export const completionDocument = documentKind(
  "completion",
  1,
  "`suture completion`: what a shell needs to complete the words of suture.",
  {
    shell: v.picklist(["bash", "zsh", "fish"]),
    text: said(text, "a script for that shell"),
  },
);

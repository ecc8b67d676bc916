/** What was taken back: the target withdrawal/withdrawals.json, which the role `withdrawal` signs. It can only take away. */
import * as v from "valibot";
import { said } from "../said.ts";
import { counter, digest, instant, line, word } from "./parts.ts";

export const WITHDRAWAL_ACTIONS = ["do-not-load", "disable", "replace", "keep-reboot-wanted"] as const;

export const withdrawalSchema = v.pipe(
  v.strictObject({
    sha256: said(digest, "of the livepatch"),
    action: said(
      v.picklist(WITHDRAWAL_ACTIONS),
      "do-not-load: what is loaded stays; disable: it goes out of effect, and out of the kernel where nothing escapes; replace: by the one that is named; keep-reboot-wanted: it stays, and a person is to reboot",
    ),
    replacement: said(v.nullable(digest), "SHA-256 of the livepatch to load in its place; null of the other actions"),
    reason: line,
    at: instant,
  }),
  v.check(
    ({ action, replacement }) => (action === "replace") === (replacement !== null),
    "a replacement goes with the action replace, and with no other",
  ),
);

export type Withdrawal = v.InferOutput<typeof withdrawalSchema>;

export const withdrawalsSchema = v.strictObject({
  suture: said(v.literal(1), "the version of this form"),
  fleet: said(word, "whom it is for"),
  counter: said(counter, "it never falls, and rises with each change"),
  entries: said(v.pipe(v.array(withdrawalSchema), v.maxLength(4096)), "none is ever taken out"),
});

export type Withdrawals = v.InferOutput<typeof withdrawalsSchema>;

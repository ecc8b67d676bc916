/** The signed repository that machines follow, as its people make it. */
import type { AddCommand } from "../answer.ts";
import { add } from "./repo/add.ts";
import { carry, mirror } from "./repo/elsewhere.ts";
import { init, key } from "./repo/keys.ts";
import { policy } from "./repo/policy.ts";
import { publish } from "./repo/publish.ts";
import { renew, sign } from "./repo/sign.ts";
import { status } from "./repo/status.ts";
import { withdraw } from "./repo/withdraw.ts";

export const repoCommand: AddCommand = (program, run) => {
  const repo = program.command("repo").description("a signed repository of livepatches that machines follow: made, signed, published");
  for (const word of [init, key, add, sign, policy, withdraw, renew, publish, mirror, carry, status]) word(repo, run);
};

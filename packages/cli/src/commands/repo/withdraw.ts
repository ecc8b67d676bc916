/** What is taken back. */
import { repoWithdrawDocument, WITHDRAWAL_ACTIONS, type Withdrawal } from "@suture/protocol";
import { Option } from "commander";
import { partsText, safeText, tableText } from "../../text.ts";
import { type Add, FOLDER, stagedText, trust } from "./words.ts";

export const withdraw: Add = (repo, run) => {
  repo
    .command("withdraw")
    .description("takes a livepatch back, for ever")
    .argument("<folder>", FOLDER)
    .argument("<name>", "name, path or SHA-256 of the livepatch")
    .addOption(new Option("--action <action>", "what machines do that have it").choices([...WITHDRAWAL_ACTIONS]).makeOptionMandatory())
    .requiredOption("--reason <text>", "for people")
    .option("--replacement <name>", "of the action replace: the livepatch that takes its place")
    .action(
      run(async (task, folder: string, name: string, options: { action: Withdrawal["action"]; reason: string; replacement?: string }) => {
        const { withdraw: take, Work } = await trust();
        const withdrawals = await take(task, folder, name, { ...options, now: new Date() });
        const staged = await (await Work.open(folder)).stagedRoles();
        return {
          document: repoWithdrawDocument.of({ withdrawals, staged }),
          text: safeText(
            partsText([
              tableText(
                ["livepatch", "action", "reason"],
                withdrawals.entries.map(({ sha256, action, reason }) => [sha256, action, reason]),
              ),
              stagedText(staged),
            ]),
          ),
        };
      }),
    );
};

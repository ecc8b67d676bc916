/** Where it stands. */
import { repoStatusDocument } from "@suture/protocol";
import { headedText, partsText, safeText, tableText } from "../../text.ts";
import { type Add, FOLDER, trust } from "./words.ts";

export const status: Add = (repo, run) => {
  repo
    .command("status")
    .description("what expires when, and who has not signed")
    .argument("<folder>", FOLDER)
    .action(
      run(async (_task, folder: string) => {
        const found = await (await trust()).repositoryStatus(folder, new Date());
        return {
          document: repoStatusDocument.of(found),
          text: safeText(
            partsText([
              tableText(
                ["role", "version", "expires", "", "takes", "of"],
                found.roles.map(({ role, version, expires, state, threshold, keys }) => [
                  role,
                  version === undefined ? "" : String(version),
                  expires ?? "",
                  state === "good" ? "" : state,
                  String(threshold),
                  keys.join(", "),
                ]),
              ),
              headedText(
                "to be signed and published",
                tableText(
                  ["role", "version", "signed by", "lacks", "of"],
                  found.roles.flatMap(({ role, staged }) =>
                    staged === undefined
                      ? []
                      : [[role, String(staged.version), staged.signed.join(", "), String(staged.lacking), staged.mayStillSign.join(", ")]],
                  ),
                ),
              ),
            ]),
          ),
        };
      }),
    );
};

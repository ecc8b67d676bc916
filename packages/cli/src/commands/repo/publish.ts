/** What machines see. */
import { repoPublishDocument } from "@suture/protocol";
import { countText, fieldsText, headedText, partsText, safeText, tableText } from "../../text.ts";
import { type Add, FOLDER, list, passphraseFile, signersOf, trust } from "./words.ts";

export const publish: Add = (repo, run) => {
  repo
    .command("publish")
    .description(
      "what is signed by enough, under a new snapshot and timestamp, into the folder that machines see; run it again before the timestamp expires",
    )
    .argument("<folder>", FOLDER)
    .argument("<published-folder>", "of a web server, or for a stick; with --check also the address of what is out there")
    .addOption(list("--key <key-file>", "of snapshot and timestamp; where these were changed, those of before too").makeOptionMandatory())
    .option("--check", "says what would be published, and writes nothing")
    .addOption(passphraseFile())
    .action(
      run(async (task, folder: string, out: string, options: { key: string[]; check?: boolean; passphraseFile?: string }) => {
        const { publish: out_ } = await trust();
        const check = options.check === true;
        const signers = await signersOf(task, options.key, options.passphraseFile);
        const found = await out_(task, folder, out, { signers, check, now: new Date() });
        return {
          document: repoPublishDocument.of({ ...found, check }),
          text: safeText(
            partsText([
              tableText(
                ["role", "version", ""],
                Object.entries(found.versions).map(([role, version]) => [
                  role,
                  String(version),
                  found.promoted.includes(role) ? "new" : "",
                ]),
              ),
              headedText("beware", found.notes.map((note) => `  ${note}`).join("\n")),
              fieldsText([
                ["not signed by enough, left out", found.waiting.join(", ")],
                [check ? "would be published in" : "published in", out],
                ["written", check ? "nothing: this was a check" : countText(found.written, "file")],
              ]),
            ]),
          ),
        };
      }),
    );
};

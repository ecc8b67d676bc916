/** A repository elsewhere. */
import { repoExportDocument, repoMirrorDocument } from "@suture/protocol";
import type { Mirrored } from "@suture/trust";
import type { Answer } from "../../answer.ts";
import { countText, fieldsText, safeText } from "../../text.ts";
import { type Add, trust } from "./words.ts";

const mirroredAnswer = (found: Mirrored): Answer => ({
  document: repoMirrorDocument.of(found),
  text: safeText(
    fieldsText([
      ["fleet", found.fleet],
      ["timestamp", `version ${found.timestamp}, signed at ${found.signedAt}`],
      ["written", `${countText(found.written, "file")} in ${found.folder}`],
    ]),
  ),
});

const ROOT = "root metadata (1.root.json) that came by a way that you trust; needed the first time";

export const mirror: Add = (repo, run) => {
  repo
    .command("mirror")
    .description("copies a published repository, verified as machines do it; older than what is there is refused")
    .argument("<address>", "http://..., https://..., file:///... or a folder")
    .argument("<published-folder>", "where the copy is")
    .option("--root <file>", ROOT)
    .action(
      run(async (task, address: string, folder: string, options: { root?: string }) => {
        const { mirror: copy, sourceOf } = await trust();
        return mirroredAnswer(await copy(task, sourceOf(address), folder, options.root, new Date()));
      }),
    );
};

export const carry: Add = (repo, run) => {
  repo
    .command("export")
    .description("a published repository in one file, to be carried where no network is")
    .argument("<published-folder>", "the repository")
    .argument("<file>", "that is written")
    .action(
      run(async (task, folder: string, file: string) => {
        const found = await (await trust()).exportRepository(task, folder, file, new Date());
        return {
          document: repoExportDocument.of(found),
          text: safeText(
            fieldsText([
              ["file", file],
              ["holds", `${countText(found.files, "file")}, ${found.bytes} bytes packed`],
            ]),
          ),
        };
      }),
    );
  repo
    .command("import")
    .description("the other end of export: verified as machines do it; older than what is there is refused")
    .argument("<file>", "that export wrote")
    .argument("<published-folder>", "where the repository is")
    .option("--root <file>", ROOT)
    .action(
      run(async (task, file: string, folder: string, options: { root?: string }) =>
        mirroredAnswer(await (await trust()).importRepository(task, file, folder, options.root, new Date())),
      ),
    );
};

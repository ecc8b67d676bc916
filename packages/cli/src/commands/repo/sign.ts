/** Each holder by itself. */
import { repoSignDocument, repoStagedDocument, repoTakeDocument } from "@suture/protocol";
import type { Answer } from "../../answer.ts";
import { fail } from "../../errors.ts";
import { headedText, partsText, safeText, tableText } from "../../text.ts";
import { type Add, FOLDER, list, passphraseFile, signersOf, stagedText, trust } from "./words.ts";

export const sign: Add = (repo, run) => {
  repo
    .command("sign")
    .description("shows what a key would sign, with a digest of it; signs it if that is given as --read")
    .argument("<folder>", `${FOLDER}, or a copy of it that was carried here`)
    .option("--key <key-file>", "FILE.key of the one who signs")
    .option("--read <digest>", "the digest of what was read: what has changed since then is not signed")
    .addOption(list("--role <role>", "only these"))
    .option("--from <folder>", "instead: takes over the signatures that another copy of the folder has on the same bytes")
    .addOption(passphraseFile())
    .action(
      run(
        async (
          task,
          folder: string,
          options: { key?: string; read?: string; role: string[]; from?: string; passphraseFile?: string },
        ): Promise<Answer> => {
          const { signStaged, takeSignatures } = await trust();
          if (options.from !== undefined) {
            const { taken, refused } = await takeSignatures(task, folder, options.from);
            const words = refused.map(({ where, message }) => `${where.file}: ${message}`);
            return {
              document: repoTakeDocument.of({ taken, refused: words }),
              text: safeText(
                partsText([
                  tableText(
                    ["role", "signed by"],
                    taken.map((each) => [each.role, each.key]),
                  ),
                  headedText("not taken", words.map((word) => `  ${word}`).join("\n")),
                  taken.length === 0 ? "nothing new" : "",
                ]),
              ),
            };
          }
          if (options.key === undefined) throw fail("CLI_USAGE", "whose signature? --key FILE.key");
          const [signer] = await signersOf(task, [options.key], options.passphraseFile);
          if (signer === undefined) throw fail("CLI_USAGE", "whose signature? --key FILE.key");
          const found = await signStaged(task, folder, signer, { read: options.read, roles: options.role });
          const parts = found.roles.map(({ role, version, expires, sha256, says }) =>
            headedText(
              `${role}, version ${version}, good until ${expires}, SHA-256 ${sha256}`,
              says.map((line) => `  ${line}`).join("\n") || "  nothing else",
            ),
          );
          const last = found.signed
            ? `signed by ${found.key}`
            : `NOT signed. If this is what ${found.key} wants to sign:\n  suture repo sign ${folder} --key ${options.key} --read ${found.digest}`;
          return { document: repoSignDocument.of(found), text: safeText(partsText([...parts, last])) };
        },
      ),
    );
};

export const renew: Add = (repo, run) => {
  repo
    .command("renew")
    .description("what people sign, unchanged, good for as long again")
    .argument("<folder>", FOLDER)
    .addOption(list("--role <role>", "only these; with patches go its kernel lines"))
    .action(
      run(async (task, folder: string, options: { role: string[] }) => {
        const staged = await (await trust()).renew(task, folder, options.role, new Date());
        return { document: repoStagedDocument.of({ folder, staged }), text: safeText(stagedText(staged)) };
      }),
    );
};

/** Who holds which role. */
import { repoHoldersDocument, repoKeyDocument, repoStagedDocument } from "@suture/protocol";
import type { Holders, KeyRole, SignedRole } from "@suture/trust";
import type { Answer } from "../../answer.ts";
import { fail } from "../../errors.ts";
import { fieldsText, safeText, tableText } from "../../text.ts";
import { type Add, list, passphraseFile, passphraseOf, stagedText, trust } from "./words.ts";

const ROLES: readonly KeyRole[] = ["root", "patches", "policy", "withdrawal", "snapshot", "timestamp"];
const ALL_ROLES: readonly SignedRole[] = ["root", "targets", ...ROLES.slice(1)] as SignedRole[];

/** `root=2:ada.pub,bob.pub` */
async function holdersIn(words: readonly string[]): Promise<Partial<Record<KeyRole, Holders>>> {
  const { readPublicKey } = await trust();
  const found: Partial<Record<KeyRole, Holders>> = {};
  for (const word of words) {
    const [, role, threshold, files] = /^(\w+)=(\d+):(.+)$/.exec(word) ?? [];
    const known = ROLES.find((each) => each === role);
    if (known === undefined || files === undefined)
      throw fail(
        "CLI_USAGE",
        `"${word}" does not say who holds a role`,
        {},
        { mend: `Write ROLE=COUNT:FILE.pub,FILE.pub; roles are ${ROLES.join(", ")}.` },
      );
    found[known] = { threshold: Number(threshold), keys: await Promise.all(files.split(",").map(readPublicKey)) };
  }
  return found;
}

export const init: Add = (repo, run) => {
  repo
    .command("init")
    .description("begins a repository: who holds which role")
    .argument("<folder>", "where it is made; it does not exist yet")
    .requiredOption("--fleet <name>", "whose it is: machines hold it for ever")
    .addOption(list("--holders <holders>", "ROLE=COUNT:FILE.pub,... for each role: so many of these keys sign it"))
    .addOption(list("--days <count>", "ROLE=COUNT: so long what a role signs is good"))
    .action(
      run(async (_task, folder: string, options: { fleet: string; holders: string[]; days: string[] }) => {
        const { initRepository } = await trust();
        const holders = await holdersIn(options.holders);
        const missing = ROLES.filter((role) => holders[role] === undefined);
        if (missing.length > 0) throw fail("CLI_USAGE", `nobody holds ${missing.join(", ")}: --holders is needed for each role`);
        const days = Object.fromEntries(
          options.days.map((word) => {
            const [role = "", count = ""] = word.split("=");
            if (!(ALL_ROLES as readonly string[]).includes(role) || !/^[1-9]\d{0,4}$/.test(count))
              throw fail("CLI_USAGE", `"${word}" is not ROLE=COUNT`);
            return [role, Number(count)];
          }),
        );
        const work = await initRepository(folder, {
          fleet: options.fleet,
          holders: holders as Record<KeyRole, Holders>,
          days,
          now: new Date(),
        });
        const staged = await work.stagedRoles();
        return { document: repoStagedDocument.of({ folder, staged }), text: safeText(stagedText(staged)) };
      }),
    );
};

export const key: Add = (repo, run) => {
  repo
    .command("key")
    .description("new: makes a key, FILE.key and FILE.pub; list: who holds which role; rotate: other keys for some roles")
    .addArgument(repo.createArgument("<what>", "what is done").choices(["new", "list", "rotate"]))
    .argument("<file>", "new: the key's files, without their ending; list, rotate: the folder of the repository")
    .option("--pkcs11 <address>", "new: a key of P-256 that is in a token already (RFC 7512); it is used through openssl")
    .addOption(list("--holders <holders>", "rotate: ROLE=COUNT:FILE.pub,... as they are from now on"))
    .addOption(
      list("--give-back <digest>", "rotate, of withdrawal: what the keys of now withdrew, and is withdrawn no more; the beginning will do"),
    )
    .addOption(passphraseFile())
    .action(
      run(
        async (
          task,
          what: string,
          file: string,
          options: { pkcs11?: string; holders: string[]; giveBack: string[]; passphraseFile?: string },
        ): Promise<Answer> => {
          const { newKeyFile, newTokenFile, holdersOf, rotateKeys, Work } = await trust();
          if (what === "new") {
            const made =
              options.pkcs11 === undefined
                ? await newKeyFile(task, file, () => passphraseOf(options.passphraseFile, file, true))
                : await newTokenFile(task, file, { suture: 1, pkcs11: options.pkcs11 });
            return {
              document: repoKeyDocument.of({ name: made.name, id: made.id, file: `${file}.key`, publicFile: `${file}.pub` }),
              text: safeText(
                fieldsText([
                  ["private, to be kept", `${file}.key`],
                  ["public, to be given", `${file}.pub`],
                  ["id", made.id],
                ]),
              ),
            };
          }
          if (what === "rotate") {
            if (options.holders.length === 0) throw fail("CLI_USAGE", "whose keys change? --holders ROLE=COUNT:FILE.pub,...");
            const staged = await rotateKeys(task, file, await holdersIn(options.holders), new Date(), options.giveBack);
            return { document: repoStagedDocument.of({ folder: file, staged }), text: safeText(stagedText(staged)) };
          }
          const holders = await holdersOf(await Work.open(file));
          const roles = ROLES.map((role) => ({
            role,
            threshold: holders[role].threshold,
            keys: holders[role].keys.map(({ name, id }) => ({ name, id })),
          }));
          return {
            document: repoHoldersDocument.of({ roles }),
            text: safeText(
              tableText(
                ["role", "takes", "of", "id"],
                roles.flatMap(({ role, threshold, keys }) =>
                  keys.map(({ name, id }, i) => [i === 0 ? role : "", i === 0 ? String(threshold) : "", name, id]),
                ),
              ),
            ),
          };
        },
      ),
    );
};

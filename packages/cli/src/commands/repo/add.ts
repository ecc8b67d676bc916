/** What the repository has. */
import { repoAddDocument } from "@suture/protocol";
import { fail } from "../../errors.ts";
import { partsText, safeText, tableText } from "../../text.ts";
import { builtIn } from "./built.ts";
import { type Add, FOLDER, stagedText, trust } from "./words.ts";

export const add: Add = (repo, run) => {
  repo
    .command("add")
    .description("adds livepatches, each as the next release of its kernel line")
    .argument("<folder>", FOLDER)
    .argument("[module...]", ".ko files that Suture built")
    .option("--build <id>", "instead: what a builder of the fleet has put up (docs/fleet.md), with its account and its page")
    .option("--account <file>", "what `suture account --json` or `suture catch-up --json` printed of it")
    .option("--review <file>", "the page that `suture review` wrote of it")
    .option("--retire <counter>", "releases of the line up to this one go out of the list")
    .option("--unproven", "also one that is not proven to fit")
    .action(
      run(
        async (
          task,
          folder: string,
          given: string[],
          words: { account?: string; review?: string; retire?: string; unproven?: boolean; build?: string },
        ) => {
          const { addLivepatch } = await trust();
          const built = words.build === undefined ? undefined : await builtIn(task, folder, words.build);
          if ((built === undefined) === (given.length === 0)) throw fail("CLI_USAGE", "either modules are given, or --build");
          if (built !== undefined && (words.account ?? words.review) !== undefined)
            throw fail("CLI_USAGE", "a build has its account and its page");
          const modules = built === undefined ? given : [built.module];
          const options = { ...words, ...built };
          if (modules.length > 1 && (options.account !== undefined || options.review !== undefined))
            throw fail("CLI_USAGE", "an account and a page are of one livepatch: add it by itself");
          if (options.retire !== undefined && !/^\d{1,9}$/.test(options.retire))
            throw fail("CLI_USAGE", `--retire ${options.retire} is no counter`);
          const added = [];
          for (const file of modules)
            added.push(
              await addLivepatch(task, folder, file, {
                account: options.account,
                review: options.review,
                unproven: options.unproven,
                retire: options.retire === undefined ? undefined : Number(options.retire),
                now: new Date(),
              }),
            );
          const staged = added.at(-1)?.staged ?? [];
          return {
            document: repoAddDocument.of({ added: added.map(({ path, sha256, custom }) => ({ path, sha256, custom })), staged }),
            text: safeText(
              partsText([
                tableText(
                  ["livepatch", "release", "kernel", "SHA-256"],
                  added.map(({ path, sha256, custom }) => [path, String(custom.counter), custom.kernel.release, sha256]),
                ),
                stagedText(staged),
              ]),
            ),
          };
        },
      ),
    );
};

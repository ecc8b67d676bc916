import { accountOf, readReport } from "@suture/account";
import { accountDocument } from "@suture/protocol";
import {
  type AccountOptions,
  accountSources,
  accountText,
  addAccountOptions,
  CHANGELOG,
  checkAccountFiles,
  writeAccount,
} from "../account-for.ts";
import type { AddCommand } from "../answer.ts";
import { fieldsText, headedText, partsText, safeText } from "../text.ts";

interface Options extends AccountOptions {
  livepatch?: string;
}

export const accountCommand: AddCommand = (program, run) => {
  addAccountOptions(program.command("account"), CHANGELOG)
    .description(
      "what became of each CVE and each fix of a newer release: of the report of a catch-up, again as soon as more is known of CVEs",
    )
    .argument("<file>", "the report that `suture catch-up` wrote")
    .option("--livepatch <module>", "the livepatch that it is of, to be named in the OpenVEX document")
    .action(
      run(async (task, file: string, options: Options) => {
        await checkAccountFiles(options);
        const report = await readReport(file);
        const account = accountOf(report, await accountSources(task, [report.base.version, report.target.version], options));
        await writeAccount(account, report, options, options.livepatch);
        const { page, vex } = options;
        const refused = account.records?.refused ?? [];
        return {
          document: accountDocument.of({ account, page, vex }),
          text: safeText(
            partsText([
              accountText(account),
              headedText("refused", refused.map((one) => `  ${one.file}: ${one.why}`).join("\n")),
              fieldsText([
                ["page", page ?? ""],
                ["OpenVEX", vex ?? ""],
              ]),
            ]),
          ),
        };
      }),
    );
};

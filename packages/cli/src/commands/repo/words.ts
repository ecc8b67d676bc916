/** What the words of `suture repo` have in common. */
import type { Task } from "@suture/task";
import type { Signer } from "@suture/trust";
import { type Command, Option } from "commander";
import type { Run } from "../../answer.ts";
import { fail } from "../../errors.ts";
import { askPassphrase, passphraseIn } from "../../passphrase.ts";
import { fieldsText } from "../../text.ts";

export type Add = (repo: Command, run: Run) => void;

/** Loaded where it is needed: it brings the libraries. */
export const trust = (): Promise<typeof import("@suture/trust")> => import("@suture/trust");

const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
export const list = (flags: string, description: string): Option => new Option(flags, description).argParser(repeated).default([], "none");
export const passphraseFile = (): Option =>
  new Option("--passphrase-file <file>", "its first line is the passphrase; asked for on the terminal unless given");
/** From the file that is named here or in the environment, or from the terminal. @throws CLI_USAGE, CLI_FILE */
export async function passphraseOf(file: string | undefined, key: string, again = false): Promise<string> {
  const named = file ?? process.env.SUTURE_PASSPHRASE_FILE;
  if (named !== undefined) return passphraseIn(named);
  const found = await askPassphrase(`passphrase of ${key}: `);
  if (found === undefined)
    throw fail(
      "CLI_USAGE",
      `the passphrase of ${key} is needed`,
      {},
      { mend: "Type it at a terminal, or name a file: --passphrase-file, or SUTURE_PASSPHRASE_FILE." },
    );
  if (again && (await askPassphrase("the same again: ")) !== found) throw fail("CLI_USAGE", "the two passphrases differ");
  return found;
}

export const FOLDER = "the folder that `suture repo init` made";

export const stagedText = (staged: readonly string[]): string => fieldsText([["to be signed", staged.join(", ") || "nothing"]]);

export async function signersOf(task: Task, files: readonly string[], passphrase: string | undefined): Promise<Signer[]> {
  const { openKeyFile } = await trust();
  const signers: Signer[] = [];
  for (const file of files) signers.push(await openKeyFile(task, file, () => passphraseOf(passphrase, file)));
  return signers;
}

/** A secret that a person gives: from a file, or at the terminal. Never from the command line, which all users of the machine can read. */
import { open, readFile } from "node:fs/promises";
import { ReadStream } from "node:tty";
import { fail } from "./errors.ts";

/** The first line of a file. @throws CLI_FILE */
export async function passphraseIn(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw fail("CLI_FILE", error instanceof Error ? error.message : String(error), { file }, { cause: error });
  }
  return text.split(/\r?\n/, 1)[0] ?? "";
}

const END = new Set(["\r", "\n", "\u0004"]);
const INTERRUPT = "\u0003";
const RUB_OUT = new Set(["\u007f", "\b"]);

/** Asks at the terminal of this process, which does not show what is typed. @returns undefined where there is no terminal, or the person interrupts */
export async function askPassphrase(question: string): Promise<string | undefined> {
  const terminal = await open("/dev/tty", "r+").catch(() => undefined);
  if (terminal === undefined) return undefined;
  const input = new ReadStream(terminal.fd);
  try {
    input.setRawMode(true);
    await terminal.write(question);
    return await typed(input);
  } finally {
    input.setRawMode(false);
    await terminal.write("\n");
    input.destroy();
  }
}

function typed(input: ReadStream): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    input.setEncoding("utf8");
    input.on("data", (chunk: string) => {
      for (const character of chunk) {
        if (character === INTERRUPT) return resolve(undefined);
        if (END.has(character)) return resolve(text);
        text = RUB_OUT.has(character) ? [...text].slice(0, -1).join("") : text + character;
      }
    });
    input.once("end", () => resolve(undefined));
  });
}

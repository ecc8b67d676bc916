import { readFile } from "node:fs/promises";
import { sha256 } from "@suture/files";
import { signDocument } from "@suture/protocol";
import { HASHES, type Hash, isLocked, signModule } from "@suture/signature";
import { Option } from "commander";
import type { AddCommand } from "../answer.ts";
import { askPassphrase, passphraseIn } from "../passphrase.ts";
import { signerText } from "../signer-text.ts";
import { fieldsText, safeText } from "../text.ts";
import { checkWritable, writeWhole } from "../write-file.ts";

interface Options {
  key: string;
  cert: string;
  passphraseFile?: string;
  hash: Hash;
  replace: boolean;
  output?: string;
}

export const signCommand: AddCommand = (program, run) => {
  program
    .command("sign")
    .description("sign a livepatch for kernels that take signed modules only (docs/operating.md)")
    .argument("<module>", "a .ko file")
    .requiredOption("--key <key>", "the private key: a PEM file, or a pkcs11: URI")
    .requiredOption("--cert <certificate>", "its X.509 certificate, PEM or DER")
    .option("--passphrase-file <file>", "whose first line opens the key; asked for at the terminal unless given")
    .addOption(new Option("--hash <hash>", "that is signed").choices(HASHES).default(HASHES[0]))
    .option("--replace", "take off the signature that it has", false)
    .option("-o, --output <file>", "where the signed module goes; in place of the module unless given")
    .action(
      run(async (task, file: string, options: Options) => {
        const { inspect } = await import("@suture/livepatch");
        const output = options.output ?? file;
        await checkWritable(output);
        const bytes = await readFile(file);
        const { name } = inspect(bytes, file);
        const { key, cert, hash, replace } = options;
        const passphrase = await passphraseFor(options);
        const signed = await signModule(task, bytes, file, { key, cert, hash, replace, passphrase });
        for (const note of signed.notes) task.reporter.warn(note);
        await writeWhole(output, signed.bytes);
        const { subject, signer, replaced, notes } = signed;
        const document = { file: output, module: name, sha256: sha256(signed.bytes), subject, signer, replaced, notes };
        return {
          document: signDocument.of(document),
          text: safeText(
            fieldsText([
              ["signed", `${output}${replaced ? ", in place of its older signature" : ""}`],
              ["certificate", subject],
              ["signature", signerText(signer)],
            ]),
          ),
        };
      }),
    );
};

async function passphraseFor({ key, passphraseFile }: Options): Promise<string | undefined> {
  if (passphraseFile !== undefined) return passphraseIn(passphraseFile);
  return (await isLocked(key)) ? askPassphrase(`Passphrase of ${key}: `) : undefined;
}

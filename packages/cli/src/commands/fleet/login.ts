/** Whom the others ask, and as whom. */
import { fleetLoginDocument, meSchema } from "@suture/protocol";
import { fail } from "../../errors.ts";
import { askPassphrase, passphraseIn } from "../../passphrase.ts";
import { fieldsText, safeText } from "../../text.ts";
import { type Add, askFleet, keepLogin } from "./server.ts";

export const login: Add = (fleet, run) => {
  fleet
    .command("login")
    .description("keeps the server's address and a key of it, in ~/.config/suture/fleet.json, for you alone")
    .argument("<address>", "https://..., of the fleet's server")
    .option("--key-file <key-file>", "whose first line is the key; asked for at the terminal unless given")
    .action(
      run(async (task, address: string, { keyFile }: { keyFile?: string }) => {
        if (!URL.canParse(address) || !/^https?:/.test(address))
          throw fail("CLI_USAGE", `${address} is no address that begins with https://`);
        const server = address.endsWith("/") ? address : `${address}/`;
        const key = (keyFile === undefined ? await askPassphrase("key: ") : await passphraseIn(keyFile))?.trim() ?? "";
        if (key === "") throw fail("CLI_USAGE", "there is no key: --key-file names it");
        const { name, roles } = await askFleet(task, meSchema, "v1/me", undefined, { server, key });
        await keepLogin({ server, key });
        const text = fieldsText([
          ["server", server],
          ["as", name],
          ["roles", roles.join(", ")],
        ]);
        return { document: fleetLoginDocument.of({ server, name, roles }), text: safeText(text) };
      }),
    );
};

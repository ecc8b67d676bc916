/** What is started: it runs program.cjs or machine.cjs, which lie beside it, and all that is known of it from earlier runs goes along. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import { MACHINE_WORDS } from "../commands/machine-words.ts";
import { CodeCache } from "./code-cache.ts";

const folder = import.meta.dirname;
// Behind another option, as --help, it is not what is asked for.
const word = process.argv.slice(2).find((one) => one !== "--json" && one !== "--verbose");
const program = join(folder, MACHINE_WORDS.some((one) => one === word) ? "machine.cjs" : "program.cjs");
const { HOME, XDG_CACHE_HOME } = process.env;
const text = readFileSync(program);
const cache = CodeCache.of({ path: program, text }, word, { home: HOME, cache: XDG_CACHE_HOME });
const cachedData = cache?.read();
// It is ASCII: each byte is a character.
const source = `(function (require, module, exports, __filename, __dirname) {${text.toString("latin1")}\n})`;
const script = new Script(source, { filename: program, ...(cachedData === undefined ? {} : { cachedData }) });
if (cachedData === undefined || script.cachedDataRejected === true)
  process.on("exit", (code) => {
    // What ends otherwise has not been through the parts that its word usually needs.
    if (code === 0) cache?.write(script.createCachedData());
  });
const module = { exports: {} };
script.runInThisContext()(createRequire(program), module, module.exports, program, folder);

/** What is started: it runs program.cjs, which lies beside it, and all that is known of it from earlier runs goes along. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import { CodeCache } from "./code-cache.ts";

const folder = import.meta.dirname;
const program = join(folder, "program.cjs");
const { HOME, XDG_CACHE_HOME } = process.env;
const text = readFileSync(program);
const cache = CodeCache.of({ path: program, text }, process.argv[2], { home: HOME, cache: XDG_CACHE_HOME });
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

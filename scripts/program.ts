/**
 * The command as it runs: suture.mjs, which is started, program.cjs, which has all of our code, machine.cjs, which has the part of it that machines are
 * asked for, and the C that is compiled into modules. `./suture` makes it anew after each change of a source: node --import tsx scripts/program.ts FOLDER STATE
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
/** Of a package that cannot be part of the one file. */
export const BESIDE = ["iced-x86"];

/** @returns what went into it */
export async function makeProgram(folder: string): Promise<Metafile> {
  const options = {
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    conditions: ["source"],
    external: BESIDE,
    legalComments: "none",
    logLevel: "warning",
  } satisfies BuildOptions;
  const start = await build({
    ...options,
    entryPoints: [join(root, "packages/cli/src/start/start.ts")],
    format: "esm",
    banner: { js: "#!/usr/bin/env node" },
  });
  const program = await makePart(options);
  const machine = await makePart({ ...options, plugins: [MACHINE_ONLY] });
  for (const from of cFolders()) copyAll(from, join(folder, "c"));
  write(join(folder, "program.cjs"), program.code);
  write(join(folder, "machine.cjs"), machine.code);
  write(join(folder, "suture.mjs"), start.outputFiles[0]?.contents ?? new Uint8Array(), 0o755);
  return program.metafile;
}

/** In place of all commands those for the machine that runs. */
const MACHINE_ONLY: Plugin = {
  name: "machine-only",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/commands\/all\.ts$/ }, () => ({ path: join(root, "packages/cli/src/commands/machine.ts") })),
};

async function makePart(options: BuildOptions): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const { outputFiles = [], metafile = { inputs: {}, outputs: {} } } = await build({
    ...options,
    entryPoints: [join(root, "packages/cli/src/main.ts")],
    format: "cjs",
    metafile: true,
    // Without comments it is all ASCII, as start.ts reads it. An error that nobody catches shows its line.
    charset: "ascii",
    minifyWhitespace: true,
    lineLimit: 120,
    // Parts of it that are wanted later are in the file as well.
    supported: { "dynamic-import": false },
    define: { "import.meta.dirname": "__dirname", "import.meta.url": "__filename" },
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  if (code.some((byte) => byte > 0x7f)) throw new Error("the program is not ASCII: a raw template or a name has other letters");
  return { code, metafile };
}

function cFolders(): string[] {
  return readdirSync(join(root, "packages"))
    .map((name) => join(root, "packages", name, "c"))
    .filter((folder) => existsSync(folder));
}

function copyAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyAll(source, target);
    else whole(target, (path) => copyFileSync(source, path));
  }
}

function write(path: string, content: Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  whole(path, (unfinished) => writeFileSync(unfinished, content, { mode }));
}

/** Others may run what is there while it is made anew. */
function whole(path: string, make: (unfinished: string) => void): void {
  const unfinished = `${path}.${process.pid}`;
  make(unfinished);
  renameSync(unfinished, path);
}

const [, started, folder, state] = process.argv;
if (started === import.meta.filename && folder !== undefined && state !== undefined) {
  await makeProgram(folder);
  // Of the sources before they were read: what was changed meanwhile makes another.
  write(join(folder, "made"), Buffer.from(state));
}

import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { KernelText, Reviewed, ReviewPage } from "@suture/pages";
import { reviewDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, type KernelOptions, openKernel } from "../kernel-option.ts";
import { countText, fieldsText, headedText, partsText, safeText } from "../text.ts";
import { checkWritable, writeWhole } from "../write-file.ts";

interface Options extends KernelOptions {
  keep?: string;
  output?: string;
}

export const reviewCommand: AddCommand = (program, run) => {
  addKernelOptions(
    program.command("review"),
    "a kernel of the archive, or installed with its tree: its functions as they are stand beside the new ones",
  )
    .description(
      "a page about a livepatch that a person reads and signs: its source, instructions, data, proof and inputs; also of one that others built",
    )
    .argument("<module>", "a .ko file")
    .option("--keep <folder>", "instead of a kernel: the folder that build --keep filled when the livepatch was built")
    .option("-o, --output <file>", "where the page goes; the module's name with .html unless given")
    .action(
      run(async (task, module: string, options: Options) => {
        const file = options.output ?? `${basename(module).replace(/\.ko$/, "")}.html`;
        await checkWritable(file);
        const bytes = await readFile(module);
        const { reviewPage } = await import("@suture/pages");
        const { page, sha256, functions, missing } = await besideKernel(task, bytes, module, options, (before) =>
          reviewPage({ bytes, file: basename(module), ...before }),
        );
        await writeWhole(file, Buffer.from(page));
        const beside = functions - missing.length;
        const told = beside === 0 ? [] : missing;
        return {
          document: reviewDocument.of({ file, module, sha256, functions, beside, missing }),
          text: safeText(
            partsText([
              headedText("without the kernel's instructions", told.map(({ name, why }) => `  ${name}: ${why}`).join("\n")),
              fieldsText([
                ["page", file],
                ["shows", `${module}, SHA-256 ${sha256}`],
                ["functions", `${functions} replaced, ${countText(beside, "function")} beside those of the kernel`],
              ]),
            ]),
          ),
        };
      }),
    );
};

/** What stands beside the livepatch's own code. @throws CLI_USAGE, CLI_FILE, and what making a kernel ready throws */
async function besideKernel(
  task: Task,
  bytes: Uint8Array,
  module: string,
  options: Options,
  show: (before: Pick<Reviewed, "originals" | "kernelText">) => ReviewPage,
): Promise<ReviewPage> {
  const { keep, kernel: release, tree } = options;
  const asked = release !== undefined || tree !== undefined;
  if (keep !== undefined && asked) throw fail("CLI_USAGE", "--keep stands in place of a kernel");
  if (keep !== undefined) return show({ originals: await keptOriginals(keep) });
  if (!asked) return show({ originals: new Map() });
  const { inspect } = await import("@suture/livepatch");
  const { manifest } = inspect(bytes, module);
  if (manifest === undefined)
    throw fail("CLI_USAGE", "it was not made by Suture, so which objects it replaces is not known", { file: module });
  const kernel = await openKernel(task, options);
  try {
    const { buildId } = manifest.kernel;
    if (kernel.image.buildId !== buildId)
      throw fail(
        "CLI_USAGE",
        `it is for the kernel with build-id ${buildId}, not for ${kernel.image.release} with ${kernel.image.buildId}`,
        {
          file: module,
        },
      );
    const objects = [...new Set(manifest.functions.map(({ object }) => object))].sort();
    return show({
      originals: await compiledOriginals(task, kernel, objects),
      kernelText: (symbol, offset) => stringIn(kernel, symbol, offset),
    });
  } finally {
    kernel.close();
  }
}

async function compiledOriginals(task: Task, kernel: KernelContext, objects: readonly string[]): Promise<Map<string, Uint8Array>> {
  const { compileOriginal } = await import("@suture/pipeline");
  return task.stage("originals", async (stage) => {
    const found = new Map<string, Uint8Array>();
    for (const [i, object] of objects.entries()) {
      stage.progress(i, objects.length, "objects");
      found.set(object, await compileOriginal(task, kernel, object));
    }
    stage.result(`${found.size} objects as they were`);
    return found;
  });
}

/** Of vmlinux: what ends with a zero, and can be read. */
function stringIn({ image }: KernelContext, { object, name, sympos }: Parameters<KernelText>[0], offset: number): string | undefined {
  if (object !== "vmlinux") return undefined;
  const named = image.symbols.named(name);
  const symbol = sympos === 0 && named.length === 1 ? named[0] : named[sympos - 1];
  if (symbol === undefined) return undefined;
  let text = "";
  for (let at = offset; text.length < LONGEST_STRING; at++) {
    const [byte] = image.read(image.space.at(symbol.address + at), 1) ?? [];
    if (byte === 0) return text;
    if (byte === undefined || (byte < 0x20 && !SPACES.has(byte)) || byte > 0x7e) return undefined;
    text += String.fromCharCode(byte);
  }
  return undefined;
}

const LONGEST_STRING = 4096;
/** Tab and line ends, and what begins a level of printk. */
const SPACES: ReadonlySet<number> = new Set([0x01, 0x09, 0x0a, 0x0d]);

const ORIGINAL = ".original.o";

async function keptOriginals(folder: string): Promise<Map<string, Uint8Array>> {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ORIGINAL));
    if (names.length === 0) throw fail("CLI_FILE", "it holds no objects as they were (*.original.o)", { file: folder });
    return new Map(
      await Promise.all(
        names.map(
          async (name): Promise<[string, Uint8Array]> => [`${name.slice(0, -ORIGINAL.length)}.o`, await readFile(join(folder, name))],
        ),
      ),
    );
  } catch (error) {
    if (!(error instanceof Error) || "code" in error === false || !("syscall" in error)) throw error;
    throw fail("CLI_FILE", error.message, { file: folder }, { cause: error });
  }
}

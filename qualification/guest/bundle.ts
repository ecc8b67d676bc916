/** One file of our TypeScript that runs in a guest with node alone. */
import { build } from "esbuild";

export async function bundle(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["source"],
    external: ["iced-x86"],
    logLevel: "warning",
    // CommonJS dependencies ask for node's modules at run time.
    banner: { js: 'import { createRequire as makeRequire } from "node:module";\nconst require = makeRequire(import.meta.url);' },
  });
  return Buffer.from(outputFiles[0]?.contents ?? []);
}

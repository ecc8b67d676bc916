/** The fleet's server as one file, with its migrations beside it. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";

const root = join(import.meta.dirname, "..");

/** @returns what went into it */
export async function bundleFleet(folder: string): Promise<Metafile> {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    entryPoints: [join(root, "apps/fleet/src/main.ts")],
    outfile: join(folder, "suture-fleet.mjs"),
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["source"],
    // An option of pg that is not used.
    external: ["pg-native"],
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module";\nconst require = makeRequire(import.meta.url);\nconst __filename = import.meta.filename, __dirname = import.meta.dirname;',
    },
  });
  cpSync(join(root, "apps/fleet/src/database/migrations"), join(folder, "migrations"), { recursive: true });
  return metafile;
}

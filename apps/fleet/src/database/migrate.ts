/** Migrations: files of SQL in the order of their names, each run once, in a transaction of its own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "@suture/files";
import { fail } from "../errors.ts";
import type { Sql } from "./sql.ts";

const FOLDER = join(import.meta.dirname, "migrations");
/** Of advisory locks: one server at a time migrates. */
const MIGRATION_LOCK = 7_710_001;

/** @throws FLEET_NEWER */
export async function migrate(sql: Sql, folder = FOLDER): Promise<void> {
  const files = readdirSync(folder)
    .filter((name) => /^\d{4}-[a-z-]+\.sql$/.test(name))
    .sort();
  await sql.begin(async (within) => {
    // A large fleet's takes as long as it takes, and another server waits.
    await within`set local statement_timeout = 0`;
    await within`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await within`create table if not exists migration (name text primary key, sha256 text not null, at timestamptz not null default now())`;
    const done = new Map(
      (await within<{ name: string; sha256: string }>`select name, sha256 from migration`).map((row) => [row.name, row.sha256]),
    );
    const unknown = [...done.keys()].find((name) => !files.includes(name));
    if (unknown !== undefined) throw fail("FLEET_NEWER", `the migration ${unknown} was run, and is not known here`);
    for (const name of files) {
      const text = readFileSync(join(folder, name), "utf8");
      const digest = sha256(Buffer.from(text));
      const was = done.get(name);
      if (was !== undefined && was !== digest)
        throw fail("FLEET_NEWER", `the migration ${name} that was run is another one`, { file: name });
      if (was !== undefined) continue;
      await within.script(text);
      await within`insert into migration (name, sha256) values (${name}, ${digest})`;
    }
  });
}

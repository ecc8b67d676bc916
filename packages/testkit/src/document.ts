/** What the program prints with --json, held against the schema that it names. */

import { DOCUMENTS } from "@suture/protocol";
import * as v from "valibot";

/** @throws if it is not one document of a schema that is known */
export function documentIn(stdout: string): ReturnType<typeof JSON.parse> {
  const document = JSON.parse(stdout) as { schema?: string };
  const kind = DOCUMENTS.get(document.schema ?? "");
  if (kind === undefined) throw new Error(`there is no schema ${document.schema}`);
  return v.parse(kind.schema, document);
}

/** docs/json.md and the JSON schemas of the package, as packages/protocol/src/documents has them. */

import { DOCUMENTS } from "@suture/protocol";
import { toJsonSchema } from "@valibot/to-json-schema";

type JsonSchema = ReturnType<typeof toJsonSchema>;

const HEAD = `# JSON

With \`--json\` a command prints one document on stdout instead of text; \`status --watch\` one a line. What is under way goes to stderr all the same. Every document says by \`schema\`
of which kind and version it is: \`suture/build-1\`. The schemas (JSON Schema, draft 7) are in the folder \`schemas/\` of the package that users install, a file each.

Within a version fields may be added: a reader must pass over those that it does not know. A field that goes, or means something else, raises the version. Times are in milliseconds
and sizes in bytes unless it is said. A field that is marked with ? may be absent. This page is made from the schemas by \`npm run docs:json\`; a test holds them together, and the
tests hold what the commands print against them.
`;

/** File names → their text, for the folder schemas/. */
export function schemaFiles(): Map<string, string> {
  return new Map(
    [...DOCUMENTS.values()].map((kind) => [`${kind.id.replace("suture/", "")}.json`, `${JSON.stringify(schemaOf(kind), undefined, 1)}\n`]),
  );
}

/** What a JSON schema cannot say (a replacement goes with one action alone) is left to the program. */
function schemaOf({ id, description, schema }: Kind): JsonSchema {
  return opened({
    $id: id,
    title: id,
    description,
    ...toJsonSchema(schema, { target: "draft-07", ignoreActions: ["check", "safe_integer"] }),
  });
}

type Kind = NonNullable<ReturnType<(typeof DOCUMENTS)["get"]>>;

/** As it is published a schema lets fields through that a later release adds. */
function opened(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key === "additionalProperties" ? undefined : value))) as JsonSchema;
}

export function jsonPage(): string {
  return [HEAD, ...[...DOCUMENTS.values()].map(sectionOf)].join("\n");
}

function sectionOf(kind: Kind): string {
  const lines = fieldLines(schemaOf(kind), 0).filter((line) => !line.startsWith("- `schema`"));
  return `## ${kind.id.replace("suture/", "")}\n\n${kind.description}\n\n${lines.join("\n")}\n`;
}

/** A line for each field, those of an object below it. */
function fieldLines(schema: JsonSchema, depth: number): string[] {
  const inner = inside(schema);
  return Object.entries(inner.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === "boolean") return [];
    const optional = inner.required?.includes(name) ? "" : "?";
    const meaning = field.description === undefined ? "" : `: ${field.description}`;
    return [`${"  ".repeat(depth)}- \`${name}\`${optional} ${typeText(field)}${meaning}`, ...fieldLines(field, depth + 1)];
  });
}

/** Of a list, what it is a list of. */
function inside(schema: JsonSchema): JsonSchema {
  const { items } = schema;
  return items === undefined || typeof items === "boolean" || Array.isArray(items) ? schema : inside(items);
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const { items } = schema;
  if (items !== undefined && typeof items !== "boolean" && !Array.isArray(items)) return `list of ${typeText(items)}`;
  return String(schema.type ?? "any");
}

/** The packages of the archive, as `apt-cache show` prints their records. */

export interface SourceName {
  name: string;
  version: string;
}

export interface Package {
  name: string;
  version: string;
  architecture: string;
  /** The source package that it was built from. A kernel's image is signed after the build: then the source of what was signed. */
  source: SourceName;
  depends: readonly Dependency[];
  /** Undefined: the package is installed here, but the archive does not have it (any more). */
  download: { size: number; sha256: string } | undefined;
}

/** The alternatives of one entry of Depends. */
export type Dependency = readonly { name: string; relation: string | undefined; version: string | undefined }[];

/** Records in their order: of one name, apt prints the newest first. */
export function parseRecords(text: string): Package[] {
  return text
    .split(/\n{2,}/)
    .map(fieldsOf)
    .map(packageOf)
    .filter((p) => p !== undefined);
}

/** The fields of a record, by lower-case name. Continuation lines are joined to their field by a newline. */
function fieldsOf(record: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of record.split("\n")) {
    const match = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) {
      current = match[1].toLowerCase();
      fields.set(current, match[2]);
    } else if (current !== undefined && /^[ \t]/.test(line)) fields.set(current, `${fields.get(current)}\n${line.trim()}`);
  }
  return fields;
}

function packageOf(fields: ReadonlyMap<string, string>): Package | undefined {
  const name = fields.get("package");
  const version = fields.get("version");
  const architecture = fields.get("architecture");
  if (name === undefined || version === undefined || architecture === undefined) return undefined;
  const size = Number(fields.get("size"));
  const sha256 = fields.get("sha256") ?? "";
  return {
    name,
    version,
    architecture,
    source: builtUsing(fields.get("built-using")) ?? sourceOf(fields.get("source"), name, version),
    depends: parseDependencies(fields.get("depends")),
    download: fields.has("filename") && Number.isSafeInteger(size) && /^[0-9a-f]{64}$/.test(sha256) ? { size, sha256 } : undefined,
  };
}

/** `linux (= VERSION)` of Built-Using, which signed images carry. */
function builtUsing(field: string | undefined): SourceName | undefined {
  const match = /(?:^|, )(linux(?:-[0-9][^ ]*)?) \(= ([^)]+)\)/.exec(field ?? "");
  return match?.[1] === undefined || match[2] === undefined ? undefined : { name: match[1], version: match[2] };
}

/** `NAME` or `NAME (VERSION)`; without the field both are those of the package. */
function sourceOf(field: string | undefined, name: string, version: string): SourceName {
  const match = /^(\S+)(?: \(([^)]+)\))?$/.exec(field ?? "");
  return { name: match?.[1] ?? name, version: match?.[2] ?? version };
}

export function parseDependencies(field: string | undefined): Dependency[] {
  if (field === undefined || field === "") return [];
  return field.split(/,\s*/).map((entry) =>
    entry
      .split(/\s*\|\s*/)
      .map((alternative) => /^([^\s(:]+)(?::\S+)?(?:\s*\((<<|<=|=|>=|>>)\s*([^)]+)\))?/.exec(alternative.trim()))
      .filter((match) => match !== null)
      .map((match) => ({ name: match[1] ?? "", relation: match[2], version: match[3] })),
  );
}

/** Which CVEs the header of a patch says it fixes, and which it names besides: a fix of a fix names the first one's, and so does what only comes near one. */

const IDS = /\bCVE-\d{4}-\d{4,7}\b/g;
/** `CVE: ...` and what distributions write: a field that is for this, and begins with an id, or with where a tracker has it. */
const FIELD = /^\s*(?:CVEs?|CVE-ID|References|Bug(?:-[\w-]+)?|Fixes|Security):\s*(?=[A-Za-z]*#?\d*\W*(?:https:\/\/\S*\/)?CVE-)/i;
/** A line, or what comes before or after a subject, of ids alone. */
const ALONE = /^[\s*-]*(?:CVE-\d{4}-\d{4,7}[\s,;]*)+$/;
const BEFORE = /^\s*\[?((?:CVE-\d{4}-\d{4,7}[\s,;]*)+)[\]:]/;
const AFTER = /\(((?:CVE-\d{4}-\d{4,7}[\s,;]*)+)\)\s*$/;

export interface Named {
  cves: string[];
  mentioned: string[];
}

export function cvesNamed(subjects: readonly string[], lines: readonly string[]): Named {
  const said = [
    ...subjects.flatMap((subject) => [BEFORE.exec(subject)?.[1] ?? "", AFTER.exec(subject)?.[1] ?? ""]),
    ...lines.filter((line) => FIELD.test(line) || ALONE.test(line)),
  ];
  const cves = idsIn(said);
  return { cves, mentioned: idsIn([...subjects, ...lines]).filter((id) => !cves.includes(id)) };
}

const idsIn = (texts: readonly string[]): string[] => [...new Set(texts.flatMap((text) => text.match(IDS) ?? []))].sort();

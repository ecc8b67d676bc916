/** The C that carries members beside their structure. */
import { type NewMember, nameOf } from "./members.ts";

export const getter = ({ type, name }: NewMember): string => `suture_get_${type}_${name}`;
export const setter = ({ type, name }: NewMember): string => `suture_set_${type}_${name}`;
export const begins = (type: string): string => `suture_begins_${type}`;
export const ends = (type: string): string => `suture_ends_${type}`;

const numberOf = (id: number): string => `0x${id.toString(16)}UL`;

/** The type in which the member is handed: of a bit-field that which it was declared with. */
function valueType(member: NewMember): string {
  const bits = /^([\s\S]*?)\b\w+\s*:\s*\w+$/.exec(member.declaration.trim());
  return bits?.[1]?.trim() ?? `__typeof__(((struct ${holder(member)} *)0)->${member.name})`;
}

function holder({ type, name }: NewMember): string {
  return `suture_of_${type}_${name}`;
}

/** The compiler's number for what has one value: integers, enumerations, booleans, pointers. Source: gcc's typeclass.h. */
const oneOf = (kind: string): string => [1, 3, 4, 5].map((one) => `${kind} == ${one}`).join(" || ");

/** What is put behind the definition of a structure. The functions that it declares are those of packages/livepatch/c/members.c. */
export function helpersOf(type: string, members: readonly NewMember[]): string {
  const inline = "static inline __attribute__((__unused__, __always_inline__))";
  const lines = [
    `/* Made by Suture: new members of struct ${type} that lie beside its objects. */`,
    "extern void suture_member_load(const void *object, unsigned long id, void *value, unsigned long size);",
    "extern void suture_member_store(void *object, unsigned long id, const void *value, unsigned long size);",
    "extern void suture_member_end(const void *object, unsigned long id);",
  ];
  for (const member of members) {
    const { name } = member;
    const own = `struct ${holder(member)}`;
    const value = `((${own} *)0)->${name}`;
    const id = numberOf(member.id);
    lines.push(
      `${own} { ${member.declaration.replace(/\s+/g, " ").trim()}; };`,
      `_Static_assert(${oneOf(`__builtin_classify_type(${value})`)}, "suture:scalar:${nameOf(member).replace(".", "__")}");`,
      `${inline} ${valueType(member)} ${getter(member)}(const struct ${type} *object)`,
      "{",
      `\t${own} beside;`,
      "",
      `\tsuture_member_load(object, ${id}, &beside, sizeof(beside));`,
      `\treturn beside.${name};`,
      "}",
      `${inline} ${valueType(member)} ${setter(member)}(struct ${type} *object, ${valueType(member)} value)`,
      "{",
      `\t${own} beside;`,
      "",
      "\t__builtin_memset(&beside, 0, sizeof(beside));",
      `\tbeside.${name} = value;`,
      `\tsuture_member_store(object, ${id}, &beside, sizeof(beside));`,
      `\treturn beside.${name};`,
      "}",
    );
  }
  const all = members.map(({ id }) => `\t\tsuture_member_end(object, ${numberOf(id)});`);
  const once = (name: string, given: string, back: string, result: string): string[] => [
    `${inline} ${back}${name}(${given}object)`,
    "{",
    "\tif (object) {",
    ...all,
    "\t}",
    `\treturn ${result};`,
    "}",
  ];
  lines.push(
    ...once(begins(type), "void *", `struct ${type} *`, `(struct ${type} *)object`),
    ...once(ends(type), `const struct ${type} *`, "void *", "(void *)object"),
  );
  return `\n${lines.join("\n")}\n`;
}

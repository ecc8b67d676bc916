/**
 * What the types of an object say against it that some structures live on stacks only: variables, members of others, functions that give or take them by
 * value, pointers to functions that take them. What functions do with them is read elsewhere (body.ts).
 */
import type { DwarfTypes } from "../dwarf.ts";
import { type Entry, TAG } from "../dwarf-entries.ts";

const DEEPEST = 64;
const THROUGH = new Set<number>([TAG.TYPEDEF, TAG.CONST, TAG.VOLATILE, TAG.RESTRICT, TAG.ATOMIC]);
const COMPOSITE = new Set<number>([TAG.STRUCTURE, TAG.UNION]);

export interface TypeUses {
  /** What stands in the way, by structure. */
  grounds: [name: string, why: string][];
  /** Other names of the structures. */
  aliases: Set<string>;
  /** Of each function, by name, the parameters that point to one, and all others. */
  parameters: Map<string, { pointers: Set<string>; others: Set<string> }>;
  /** Members of the structures that are such themselves. */
  nested: Set<string>;
}

/** How a type comes to one of the structures: as such, by one pointer, or otherwise (an array, a pointer to a pointer, a function's type). */
interface Way {
  name: string;
  how: "value" | "pointer" | "other";
}

/** @param names of structures and unions whose layout differs */
export function typeUses(types: DwarfTypes, names: ReadonlySet<string>): TypeUses {
  const uses: TypeUses = { grounds: [], aliases: new Set(), parameters: new Map(), nested: new Set() };
  const { entries } = types;
  const isOne = ({ tag, name = "" }: Entry): boolean => COMPOSITE.has(tag) && names.has(name);
  const wayOf = (type: number | undefined, depth = 0): Way | undefined => {
    let how: Way["how"] = "value";
    for (let at = type; at !== undefined && depth <= DEEPEST; depth++) {
      const entry = entries.get(at);
      if (entry === undefined) return undefined;
      if (isOne(entry)) return { name: entry.name ?? "", how };
      if (entry.tag === TAG.POINTER) how = how === "value" ? "pointer" : "other";
      else if (entry.tag === TAG.ARRAY) how = "other";
      else if (entry.tag === TAG.SUBROUTINE_TYPE) {
        const parts = [entry.type, ...entry.children.map((child) => child.type)];
        for (const part of parts) {
          const way = wayOf(part, depth + 1);
          if (way !== undefined) return { ...way, how: "other" };
        }
        return undefined;
      } else if (!THROUGH.has(entry.tag)) return undefined;
      at = entry.type;
    }
    return undefined;
  };
  const ground = ({ name }: Way, why: string): void => {
    uses.grounds.push([name, why]);
  };
  for (const entry of entries.values()) {
    const { name: own, type } = types.whole(entry);
    if (entry.tag === TAG.SUBROUTINE_TYPE) {
      for (const part of [entry.type, ...entry.children.map((child) => child.type)]) {
        const way = wayOf(part);
        if (way !== undefined) ground(way, "a pointer to a function has it in what that takes or returns");
      }
      continue;
    }
    const way = wayOf(type);
    if (way === undefined) continue;
    const whose = own ?? "without a name";
    if (entry.tag === TAG.MEMBER) {
      const { parent } = entry;
      if (parent !== undefined && isOne(parent)) {
        if (own === undefined || way.how === "other") ground(way, `${parent.name} has it in its member ${whose}`);
        else uses.nested.add(own);
      } else ground(way, `the member ${whose} of ${parent?.name ?? "a structure without a name"} is or has one`);
    } else if (entry.tag === TAG.VARIABLE) {
      if (entry.place !== undefined || entry.parent?.tag === TAG.COMPILE_UNIT) ground(way, `the variable ${whose} is or has one`);
    } else if (entry.tag === TAG.TYPEDEF) {
      if (way.how !== "value") ground(way, `the type ${whose} stands for a pointer to it`);
      else if (own !== undefined) uses.aliases.add(own);
    } else if (entry.tag === TAG.SUBPROGRAM) ground(way, `the function ${whose} returns one`);
    else if (entry.tag === TAG.PARAMETER && entry.parent?.tag === TAG.SUBPROGRAM && way.how !== "pointer")
      ground(way, `the function ${types.whole(entry.parent).name ?? ""} takes one by its parameter ${whose}, not by a pointer`);
  }
  for (const entry of entries.values()) {
    if (entry.tag !== TAG.SUBPROGRAM) continue;
    const { name } = types.whole(entry);
    const parameters = entry.children.filter(({ tag }) => tag === TAG.PARAMETER).map((one) => types.whole(one));
    if (name === undefined) continue;
    const known = uses.parameters.get(name) ?? { pointers: new Set(), others: new Set() };
    for (const parameter of parameters) (wayOf(parameter.type) === undefined ? known.others : known.pointers).add(parameter.name ?? "");
    uses.parameters.set(name, known);
  }
  return uses;
}

/** A type in words: as C writes it, and as what it stands for. */
import { type BtfTypes, DEEPEST, KIND, TYPE_SIZE } from "./btf-types.ts";

/** In a shape, prototypes within prototypes are written out so far: pointers to them count too. */
const DEEPEST_PROTOTYPE = 4;
const MOST_PARAMETERS = 32;

/** Of the word after an INT, the bit that says that it is signed. */
const INT_SIGNED = 1 << 24;

/** Numbers by size and sign, structures and unions by name, pointers by what they point at, pointers to functions by their prototype. */
export function shapeOf(types: BtfTypes, id: number, depth = 0): string {
  if (depth > DEEPEST) throw types.bad(`type ${id} lies within more than ${DEEPEST} types`, types.offset(id));
  const type = types.resolve(id);
  const at = type === 0 ? 0 : types.offset(type) + TYPE_SIZE;
  switch (types.kind(type)) {
    case 0:
      return "void";
    case KIND.INT:
      return `${(types.view.u32(at) & INT_SIGNED) === 0 ? "u" : "s"}${8 * types.third(type)}`;
    case KIND.PTR:
      return `${shapeOf(types, types.third(type), depth + 1)}*`;
    case KIND.ARRAY:
      return `${shapeOf(types, types.view.u32(at), depth + 1)}[${types.view.u32(at + 8)}]`;
    case KIND.ENUM:
    case KIND.ENUM64:
      return `enum${8 * types.third(type)} ${types.name(type)}`.trimEnd();
    case KIND.FUNC_PROTO: {
      if (depth > DEEPEST_PROTOTYPE || types.vlen(type) > MOST_PARAMETERS) return "function";
      const parameters = Array.from({ length: types.vlen(type) }, (_, i) => types.view.u32(at + 8 * i + 4));
      const shapes = parameters.map((parameter) => (parameter === 0 ? "..." : shapeOf(types, parameter, depth + 1)));
      return `${shapeOf(types, types.third(type), depth + 1)}(${shapes.join(",")})`;
    }
    default:
      return textOf(types, type, depth + 1);
  }
}

/** A type in the words of C; function pointers and arrays in short. */
export function textOf(types: BtfTypes, id: number, depth = 0): string {
  if (depth > DEEPEST) throw types.bad(`type ${id} lies within more than ${DEEPEST} types`, types.offset(id));
  const inner = (): string => textOf(types, types.third(id), depth + 1);
  switch (types.kind(id)) {
    case 0:
      return "void";
    case KIND.PTR: {
      const target = inner();
      return target.endsWith("*") ? `${target}*` : `${target} *`;
    }
    case KIND.ARRAY: {
      const at = types.offset(id) + TYPE_SIZE;
      return `${textOf(types, types.view.u32(at), depth + 1)}[${types.view.u32(at + 8)}]`;
    }
    case KIND.STRUCT:
      return `struct ${types.name(id)}`.trimEnd();
    case KIND.UNION:
      return `union ${types.name(id)}`.trimEnd();
    case KIND.FWD:
      return `${types.info(id) >>> 31 === 1 ? "union" : "struct"} ${types.name(id)}`;
    case KIND.ENUM:
    case KIND.ENUM64:
      return `enum ${types.name(id)}`.trimEnd();
    case KIND.CONST:
      return `${inner()} const`;
    case KIND.VOLATILE:
      return `${inner()} volatile`;
    case KIND.RESTRICT:
      return `${inner()} restrict`;
    case KIND.TYPE_TAG:
      return inner();
    case KIND.FUNC_PROTO:
      return `${inner()} ()`;
    default:
      return types.name(id);
  }
}

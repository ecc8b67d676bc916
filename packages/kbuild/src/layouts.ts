/** The kernel's types, as the differ asks for them. */
import type { TypeLayouts } from "@suture/diff";
import type { Btf } from "@suture/kernel";

export function layoutsOf(btf: Btf): TypeLayouts {
  return {
    size: (struct) => btf.structSize(struct),
    member: (struct, name) => {
      const found = btf.members(struct)?.find((member) => member.name === name);
      return found === undefined ? undefined : { offset: found.offset, size: found.size };
    },
  };
}

/** All kinds of edits, in the order in which they are listed. */
import type { Kind } from "./edit.ts";
import { attributeKinds } from "./kinds/attributes.ts";
import { codeEdits } from "./kinds/code.ts";
import { initKinds } from "./kinds/init.ts";
import { nameKinds } from "./kinds/names.ts";
import { placeKinds } from "./kinds/places.ts";
import { refactorings } from "./kinds/refactorings.ts";
import { retypeKinds } from "./kinds/retypes.ts";
import { typeKinds } from "./kinds/types.ts";
import { variableKinds } from "./kinds/variables.ts";

export const KINDS: readonly Kind[] = [
  ...refactorings,
  ...codeEdits,
  ...variableKinds,
  ...attributeKinds,
  ...retypeKinds,
  ...typeKinds,
  ...initKinds,
  ...nameKinds,
  ...placeKinds,
];

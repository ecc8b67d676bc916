/** All kinds of edits, in the order in which they are listed. */
import type { Kind } from "./edit.ts";
import { attributeKinds } from "./kinds/attributes.ts";
import { codeEdits } from "./kinds/code.ts";
import { initKinds } from "./kinds/init.ts";
import { liveDataKinds } from "./kinds/live-data.ts";
import { nameKinds } from "./kinds/names.ts";
import { placeKinds } from "./kinds/places.ts";
import { redirectKinds } from "./kinds/redirects.ts";
import { refactorings } from "./kinds/refactorings.ts";
import { retypeKinds } from "./kinds/retypes.ts";
import { shadowKinds } from "./kinds/shadows.ts";
import { stackKinds } from "./kinds/stacks.ts";
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
  ...liveDataKinds,
  ...redirectKinds,
  ...shadowKinds,
  ...stackKinds,
];

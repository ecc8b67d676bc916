export {
  checkKernelLayouts,
  checkLayouts,
  checkVariables,
  isAccepted,
  layoutDifferences,
  type OnStacks,
  otherLayout,
  variableShape,
  variableVanishes,
} from "./check.ts";
export { sameShapeInKernel } from "./difference.ts";
export { renumbered } from "./enumerators.ts";
export { typesErrors } from "./errors.ts";
export type { Holes } from "./holes.ts";
export { objectTypes } from "./object-types.ts";
export { isTaken, stackOnly, typeGrounds } from "./stack/stack-only.ts";

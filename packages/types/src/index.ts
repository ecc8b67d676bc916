export { checkKernelLayouts, checkLayouts, checkVariables, variableShape, variableVanishes } from "./check.ts";
export { sameShapeInKernel } from "./difference.ts";
export { renumbered } from "./enumerators.ts";
export { typesErrors } from "./errors.ts";
export { objectTypes } from "./object-types.ts";

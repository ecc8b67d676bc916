export { type Authored, authoredParts } from "./authored.ts";
export { authoredErrors } from "./errors.ts";
export { extractFunctions } from "./extract.ts";
export { type LiveTable, liveParts } from "./live.ts";
export { memberParts } from "./members.ts";
export { definedIn, type Found, hasEntry, Originals } from "./originals.ts";
export { buildOwnModule, enablesItself } from "./own-module.ts";
export { type AuthoredSource, readSources } from "./read.ts";
export { comparePrototypes, compareVariables, prototypeDifference } from "./signatures.ts";

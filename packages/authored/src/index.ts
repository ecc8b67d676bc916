export { type Authored, authoredParts } from "./authored.ts";
export { authoredErrors } from "./errors.ts";
export { extractFunctions } from "./extract.ts";
export { parse as parseInlined } from "./inlined.ts";
export { type Means, meansParts } from "./means.ts";
export { definedIn, type Found, hasEntry, Originals } from "./originals.ts";
export { buildOwnModule, enablesItself } from "./own-module.ts";
export { type AuthoredSource, readSources } from "./read.ts";
export { comparePrototypes, compareVariables, prototypeDifference } from "./signatures.ts";

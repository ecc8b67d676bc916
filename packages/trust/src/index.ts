export { type Asked, type Expiry, recall, refresh, type Verified, type VerifiedPatch, type VerifiedTarget } from "./client/refresh.ts";
export { TrustStore } from "./client/store.ts";
export { fetchTarget } from "./client/target.ts";
export { trustErrors } from "./errors.ts";
export { placeOf } from "./place.ts";
export { keepingSource, sourceOf } from "./source/open.ts";
export type { Source } from "./source/source.ts";

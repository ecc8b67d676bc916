/** The bytes that are signed: the specification's canonical JSON. */

import { sha256 } from "@suture/files";
import { canonicalize } from "@tufjs/canonical-json";

export const canonicalBytes = (value: object): Buffer => Buffer.from(canonicalize(value));

/** The id of a key, by which signatures name it. */
export const keyId = (key: object): string => sha256(canonicalBytes(key));

/** Who can sign. */
import type { Task } from "@suture/task";
import type * as v from "valibot";
import { keyId } from "../metadata/canonical.ts";
import type { keySchema } from "../metadata/form.ts";

export type PublicKey = v.InferOutput<typeof keySchema>;

export interface Signer {
  /** That of the public key. */
  readonly id: string;
  readonly key: PublicKey;
  /** @returns the signature in hex */
  sign(task: Task, bytes: Uint8Array): Promise<string>;
}

export const idOf = (key: PublicKey): string => keyId(key);

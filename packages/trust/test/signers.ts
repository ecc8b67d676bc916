/** Keys in memory: those in files take half a second each. */
import { sign } from "node:crypto";
import type { NamedKey } from "../src/keys/key-file.ts";
import type { Signer } from "../src/keys/signer.ts";
import { testKey } from "./made-repository.ts";

export interface Holder extends Signer {
  named: NamedKey;
}

export function holder(name: string): Holder {
  const { id, public: key, private: secret } = testKey();
  return { id, key, named: { name, id, key }, sign: async (_task, bytes) => sign(undefined, bytes, secret).toString("hex") };
}

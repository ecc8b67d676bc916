export { proofErrors } from "./errors.ts";
export type {
  Anchor,
  Built,
  Cause,
  CauseKind,
  Doubt,
  FunctionProof,
  Literal,
  Mismatch,
  ObjectProof,
  Overridden,
  Place,
  ProofInput,
} from "./model.ts";
export { proveObject } from "./proof.ts";

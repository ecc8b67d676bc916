export { proofErrors } from "./errors.ts";
export type {
  Built,
  Cause,
  CauseKind,
  Doubt,
  FunctionProof,
  Layouts,
  Mismatch,
  ObjectProof,
  Overridden,
  Place,
  ProofInput,
} from "./model.ts";
export { proveObject } from "./proof.ts";

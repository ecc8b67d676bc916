/** Refusals as reasons of a report. */
import type { SutureError } from "@suture/errors";
import type { UnitReason } from "@suture/protocol";

export function reasonOf({ code, message, where, mend }: SutureError): UnitReason {
  return {
    code,
    why: message,
    ...(where.file === undefined ? {} : { file: where.file }),
    ...(where.symbol === undefined ? {} : { symbol: where.symbol }),
    mend,
  };
}

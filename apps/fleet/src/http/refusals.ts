/** Refusals as answers: the document is the one that commands print. */
import { SutureError } from "@suture/errors";
import { errorDocument } from "@suture/protocol";
import { isAway } from "../database/database.ts";
import { fail, type fleetErrors } from "../errors.ts";

const STATUS: Readonly<Partial<Record<keyof typeof fleetErrors.kinds, number>>> = {
  FLEET_REQUEST: 400,
  FLEET_USAGE: 400,
  FLEET_LOGIN: 401,
  FLEET_ROLE: 403,
  FLEET_NONE: 404,
  FLEET_BUSY: 429,
  FLEET_ROOM: 507,
  FLEET_DATABASE: 503,
  FLEET_RELAY: 503,
};

export interface Refusal {
  status: number;
  /** What is sent; what is not meant for who asks is in the log alone. */
  document: ReturnType<typeof errorDocument.of> | { error: string };
  /** The same for people. */
  code: string;
  why: string;
  mend: string;
  /** It is a fault of the server. */
  ours: boolean;
}

export function refusalOf(error: unknown): Refusal {
  if (isAway(error)) return refusalOf(fail("FLEET_DATABASE", "it does not answer", {}, { cause: error }));
  if (error instanceof SutureError) {
    const status = (STATUS as Readonly<Record<string, number>>)[error.code] ?? 409;
    const { code, message: why, mend } = error;
    return { status, document: errorDocument.of({ error: error.toJSON() }), code, why, mend, ours: false };
  }
  // Of PostgreSQL: it was given up.
  if (error instanceof Error && "code" in error && error.code === "57014")
    return refusalOf(fail("FLEET_DATABASE", "it takes too long", {}, { cause: error }));
  // Of PostgreSQL: a text that it cannot hold.
  if (error instanceof Error && "code" in error && /^(?:22021|22P05)$/.test(String(error.code)))
    return refusalOf(fail("FLEET_REQUEST", "a text has characters that are none"));
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  // Of Fastify: what was sent is too long, or no JSON.
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500)
    return { ...refusalOf(fail("FLEET_REQUEST", String(message))), status: statusCode };
  const why = "a fault of the server: see its log";
  return { status: 500, document: { error: why }, code: "", why, mend: "", ours: true };
}

/** How often one may ask, by its address. */
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import { fail } from "../errors.ts";

/** In a minute, unless the route says otherwise. */
const MOST = 1200;

/** Before any route. */
export function limited(server: FastifyInstance): void {
  server.register(rateLimit, {
    max: MOST,
    timeWindow: 60_000,
    errorResponseBuilder: ({ ip }, { max }) => fail("FLEET_BUSY", `${ip} has asked ${max} times in a minute`),
  });
}

/** Pages and forms as routes. */
import type * as v from "valibot";
import { type Asked, type Route, route, type Who } from "../http/route.ts";
import { sendPage, type View } from "./document.ts";

type Schema = v.GenericSchema<unknown, unknown>;

interface Given<P extends Schema, Q extends Schema, B extends Schema> {
  path: string;
  what: string;
  who: Who;
  params?: P;
  query?: Q;
  body?: B;
  perMinute?: number;
}

type AskedOf<P extends Schema, Q extends Schema, B extends Schema> = Asked<v.InferOutput<P>, v.InferOutput<Q>, v.InferOutput<B>>;
type Nothing = v.StrictObjectSchema<Record<never, never>, undefined>;

export function pageRoute<P extends Schema = Nothing, Q extends Schema = Nothing>(
  given: Given<P, Q, Nothing>,
  view: (asked: AskedOf<P, Q, Nothing>) => Promise<View>,
): Route {
  return route<P, Q, Nothing, v.UnknownSchema>({
    ...given,
    method: "GET",
    page: true,
    handle: async (asked) => sendPage(asked.reply, await view(asked), given.who === "anyone" ? undefined : asked.principal),
  });
}

/** @param does it; and says where to look next, or what to show */
export function formRoute<P extends Schema = Nothing, B extends Schema = Nothing>(
  given: Given<P, Nothing, B>,
  does: (asked: AskedOf<P, Nothing, B>) => Promise<string | View>,
): Route {
  return route<P, Nothing, B, v.UnknownSchema>({
    ...given,
    method: "POST",
    page: true,
    handle: async (asked) => {
      const next = await does(asked);
      if (typeof next === "string") asked.reply.redirect(next, 303);
      else sendPage(asked.reply, next, given.who === "anyone" ? undefined : asked.principal);
    },
  });
}

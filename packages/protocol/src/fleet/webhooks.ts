/** Programs that the fleet's server tells what happens. */
import * as v from "valibot";
import { said } from "../said.ts";
import { count, line, time } from "./parts.ts";

const text = v.string();

/** rollout: each step of a roll-out, by a person or by itself; host: machines come, are approved, labelled, retired; repository: livepatches are built, published and withdrawn; administration: all other deeds. */
export const WEBHOOK_EVENTS = ["rollout", "host", "repository", "administration"] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export const newWebhookSchema = v.strictObject({
  name: line,
  url: said(v.pipe(text, v.maxLength(1000)), "https://..."),
  events: v.pipe(v.array(v.picklist(WEBHOOK_EVENTS)), v.minLength(1), v.maxLength(WEBHOOK_EVENTS.length)),
});
export type NewWebhook = v.InferOutput<typeof newWebhookSchema>;
export const webhookSecretSchema = v.strictObject({ id: text, secret: said(text, "it is not shown again") });
export const webhookIdSchema = v.strictObject({ id: v.pipe(text, v.regex(/^[0-9a-f]{12}$/)) });
const webhook = v.strictObject({
  id: text,
  name: text,
  url: text,
  events: v.array(v.picklist(WEBHOOK_EVENTS)),
  made: time,
  waiting: count,
  delivered: said(count, "in the last week"),
  dead: said(count, "that nobody has taken"),
});
export type FleetWebhook = v.InferOutput<typeof webhook>;
export const webhooksSchema = v.strictObject({ webhooks: v.array(webhook) });
const delivery = v.strictObject({
  n: count,
  at: time,
  state: v.picklist(["waiting", "delivered", "dead"]),
  tries: count,
  next: v.nullable(said(time, "when it is sent again")),
  said: said(text, "what came of the last try"),
  body: text,
});
export type FleetDelivery = v.InferOutput<typeof delivery>;
export const deliveriesSchema = v.strictObject({ deliveries: v.array(delivery) });

/** Programs that are told what happens. */
import { deliveriesSchema, newWebhookSchema, webhookIdSchema, webhookSecretSchema, webhooksSchema } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import type { Addresses } from "./address.ts";
import { deliveries, newWebhook, removeWebhook, retryWebhook, testWebhook, webhooks } from "./store.ts";

export const webhookRoutes = (sql: Sql, addresses: Addresses): Route[] => [
  route({
    method: "GET",
    path: "/v1/webhooks",
    what: "Who is told what happens",
    who: ["admin"],
    answer: webhooksSchema,
    handle: async () => ({ webhooks: await webhooks(sql) }),
  }),
  route({
    method: "POST",
    path: "/v1/webhooks",
    what: "A program is told from now on; the secret by which it knows the server is shown once",
    who: ["admin"],
    body: newWebhookSchema,
    answer: webhookSecretSchema,
    handle: async ({ principal, body }) => newWebhook(sql, addresses, principal.name, body),
  }),
  route({
    method: "DELETE",
    path: "/v1/webhooks/:id",
    what: "It is told nothing any more",
    who: ["admin"],
    params: webhookIdSchema,
    handle: async ({ principal, params }) => removeWebhook(sql, principal.name, params.id),
  }),
  route({
    method: "GET",
    path: "/v1/webhooks/:id/deliveries",
    what: "The newest of what it was told, or is to be, or could not be",
    who: ["admin"],
    params: webhookIdSchema,
    answer: deliveriesSchema,
    handle: async ({ params }) => ({ deliveries: await deliveries(sql, params.id) }),
  }),
  route({
    method: "POST",
    path: "/v1/webhooks/:id/retry",
    what: "What waits, or was given up, is sent again now",
    who: ["admin"],
    params: webhookIdSchema,
    handle: async ({ principal, params }) => retryWebhook(sql, principal.name, params.id),
  }),
  route({
    method: "POST",
    path: "/v1/webhooks/:id/test",
    what: "It is told something that shows that it is reached",
    who: ["admin"],
    params: webhookIdSchema,
    handle: async ({ params }) => testWebhook(sql, params.id),
  }),
];

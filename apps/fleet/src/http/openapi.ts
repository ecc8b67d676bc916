/** What the server answers, as an OpenAPI document, made from the routes themselves. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import type { Route, Who } from "./route.ts";

type Schema = v.GenericSchema<unknown, unknown>;

const json = (schema: Schema): object => {
  const { $schema: _, ...rest } = toJsonSchema(schema, { target: "openapi-3.0", errorMode: "ignore", typeMode: "input" });
  return rest;
};

const whoText = (who: Who): string =>
  who === "anyone" ? "Anyone." : who === "host" ? "Signed by a machine." : `Roles: ${who.join(", ")}.`;

export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes.filter(({ page }) => !page)) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    const method = route.method.toLowerCase();
    paths[path] = { ...paths[path], [method]: operation(route) };
  }
  return {
    openapi: "3.0.3",
    info: { title: "Suture fleet", version },
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    paths,
  };
}

function contentOf(body: Schema): object {
  if (body.type === "instance") return { "application/octet-stream": { schema: { type: "string", format: "binary" } } };
  return { "application/json": { schema: json(body) } };
}

function operation({ method, what, who, params, query, body, answer }: Route): object {
  const named = (schema: Schema, place: "path" | "query"): object[] => {
    const { properties = {}, required = [] } = json(schema) as { properties?: Record<string, object>; required?: string[] };
    return Object.entries(properties).map(([name, of]) => ({
      name,
      in: place,
      required: place === "path" || required.includes(name),
      schema: of,
    }));
  };
  return {
    summary: what,
    description: whoText(who),
    ...(who === "anyone" || who === "host" ? {} : { security: [{ key: [] }] }),
    parameters: [...named(params, "path"), ...named(query, "query")],
    ...(method === "POST" ? { requestBody: { required: true, content: contentOf(body) } } : {}),
    responses: {
      200: { description: "done", ...(answer === undefined ? {} : { content: { "application/json": { schema: json(answer) } } }) },
      default: { description: "refused, and why: a document suture/error-1" },
    },
  };
}

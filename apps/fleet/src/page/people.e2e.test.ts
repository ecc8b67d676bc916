/** What admins and operators do by forms: people, keys, tokens, webhooks. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../test/person.ts";
import { Served } from "../../test/served.ts";

let served: Served;
let ada: Person;
let olga: Person;
beforeAll(async () => {
  served = await Served.open();
  ada = await Person.ready(served, "ada", ["admin"]);
  olga = await Person.ready(served, "olga", ["operator", "viewer"]);
});
afterAll(() => served.fleet.close());

/** @param words of a form */
async function browse(who: Person, url: string, words?: Record<string, string>): Promise<{ status: number; text: string }> {
  const answer = await served.fleet.server.inject({
    method: words === undefined ? "GET" : "POST",
    url,
    headers: { cookie: who.cookie.split(";")[0] ?? "", "content-type": "application/x-www-form-urlencoded" },
    ...(words === undefined ? {} : { payload: new URLSearchParams({ csrf: who.csrf, ...words }).toString() }),
  });
  return { status: answer.statusCode, text: answer.body };
}

const secretIn = (text: string): string => /<p class="box m">([^<]+)<\/p>/.exec(text)?.[1] ?? "";
const bearer = async (key: string): Promise<number> =>
  (await served.fleet.server.inject({ url: "/v1/me", headers: { authorization: `Bearer ${key}` } })).statusCode;

test("an admin invites people, gives them roles, and takes them away again", async () => {
  expect((await browse(ada, "/people", { name: "bob", viewer: "on", csrf: "" })).status).toBe(401);
  expect((await browse(ada, "/people", { name: "bob" })).status).toBe(400);
  expect((await browse(ada, "/people", { name: "<b>", viewer: "on" })).status).toBe(400);
  const invited = await browse(ada, "/people", { name: "bob", viewer: "on", "key officer": "on" });
  expect(secretIn(invited.text)).toMatch(/^si_/);
  expect((await browse(ada, "/people")).text).toContain("viewer, key officer");
  expect((await browse(ada, "/people/roles", { name: "bob", releaser: "on" })).status).toBe(303);
  expect((await browse(ada, "/people/accounts/bob", { disabled: "yes" })).status).toBe(303);
  const { body } = await served.ask("admin", "GET", "/v1/accounts");
  expect(body.accounts).toContainEqual(expect.objectContaining({ name: "bob", roles: ["releaser"], disabled: expect.any(String) }));
  expect(secretIn((await browse(ada, "/people/accounts/bob", { invite: "yes", disabled: "no" })).text)).toMatch(/^si_/);
});

test("keys of programs, and of one's own, are shown once, and are revoked", async () => {
  const { text } = await browse(ada, "/people/keys", { name: "<ci>", days: "7", viewer: "on" });
  const key = secretIn(text);
  expect(await bearer(key)).toBe(200);
  const page = (await browse(ada, "/people")).text;
  expect(page).toContain("&lt;ci&gt;");
  expect(page).not.toContain(key);
  const [row] = await served.fleet.database.sql<{ id: string }>`select id from api_key where name = '<ci>'`;
  expect((await browse(ada, `/people/keys/${row?.id}/revoke`, {})).status).toBe(303);
  expect(await bearer(key)).toBe(401);
  const own = secretIn((await browse(olga, "/me/keys", { name: "laptop", days: "", operator: "on" })).text);
  expect(await bearer(own)).toBe(200);
  expect((await browse(olga, "/me/keys", { name: "more", admin: "on" })).status).toBe(403);
  expect((await browse(olga, "/me")).text).not.toContain('name="admin"');
});

test("operators make tokens by which machines enrol, and see nothing of people", async () => {
  const made = await browse(olga, "/tokens", { name: "berlin", limit: "1", days: "30", labels: "berlin web", approve: "on" });
  expect(secretIn(made.text)).toMatch(/^se_/);
  const list = (await browse(olga, "/tokens")).text;
  expect(list).toContain("berlin, web");
  expect(list).toContain("0 of 1");
  expect(list).not.toContain(secretIn(made.text));
  expect((await browse(olga, "/tokens", { name: "x", limit: "", days: "0" })).status).toBe(400);
  const id = /\/tokens\/(\w{12})\/revoke/.exec(list)?.[1];
  expect((await browse(olga, `/tokens/${id}/revoke`, {})).status).toBe(303);
  expect((await browse(olga, "/tokens")).text).toContain("revoked");
  expect((await browse(olga, "/people")).status).toBe(403);
  expect(list).not.toContain('href="/people"');
  expect((await browse(ada, "/")).text).toContain('href="/people"');
});

test("webhooks are made and looked at", async () => {
  expect((await browse(ada, "/people/webhooks", { name: "x", url: "https://169.254.169.254/", host: "on" })).status).toBe(400);
  const made = await browse(ada, "/people/webhooks", { name: "chat", url: "https://chat.example.org/hook", rollout: "on" });
  expect(secretIn(made.text)).toMatch(/^whsec_/);
  const id = /\/people\/webhooks\/(\w{12})"/.exec((await browse(ada, "/people")).text)?.[1];
  expect((await browse(ada, `/people/webhooks/${id}/test`, {})).status).toBe(303);
  expect((await browse(ada, `/people/webhooks/${id}`)).text).toContain("waiting");
  expect((await browse(ada, `/people/webhooks/${id}/remove`, {})).status).toBe(303);
});

/** People log in. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../test/person.ts";
import { Served } from "../../test/served.ts";

let served: Served;
beforeAll(async () => {
  served = await Served.open();
});
afterAll(() => served.fleet.close());

const login = { status: 401, body: { error: { code: "FLEET_LOGIN" } } };

test("who was invited sets a password and a second factor, once, and logs in by both, with a code that is used once", async () => {
  const ada = await Person.invited(served, "ada", ["viewer"]);
  expect(await ada.logIn()).toMatchObject(login);
  expect(await ada.confirm({ code: "000000" })).toMatchObject(login);
  expect(await ada.confirm({ password: "too short" })).toMatchObject({ status: 400 });
  expect(await ada.confirm({ password: "this is ada herself" })).toMatchObject({ status: 400 });
  expect(await ada.confirm()).toMatchObject({ status: 200 });
  expect(await ada.confirm()).toMatchObject(login);
  // The code of the confirmation is used; the next half minute has another one.
  expect(await ada.logIn()).toMatchObject(login);
  await ada.later();
  expect(await ada.logIn({ password: "the wrong password" })).toMatchObject(login);
  expect(await ada.logIn({ code: "123456" })).toMatchObject(login);
  expect(await ada.logIn({ name: "nobody" })).toMatchObject(login);
  expect(await ada.ask("GET", "/v1/me")).toMatchObject(login);
  const both = await Promise.all([ada.logIn(), ada.logIn()]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 401]);
  expect(ada.cookie).toMatch(/^suture-fleet=ss_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(await ada.ask("GET", "/v1/me")).toMatchObject({ status: 200, body: { name: "ada", roles: ["viewer"] } });
});

test("a session changes nothing by what another site can send, ends by leaving, by time, and with the account", async () => {
  const { sql } = served.fleet.database;
  const bob = await Person.ready(served, "bob", ["operator"]);
  const token = { name: "x", limit: null, days: 1, approve: true, labels: [] };
  expect(await bob.ask("POST", "/v1/enrol-tokens", token, { "x-csrf": "" })).toMatchObject(login);
  expect(await bob.ask("POST", "/v1/enrol-tokens", token)).toMatchObject({ status: 200 });
  const first = bob.cookie;
  await bob.later();
  expect((await bob.logIn()).status).toBe(200);
  // The one before is over: who has it has nothing.
  const [second, csrf] = [bob.cookie, bob.csrf];
  Object.assign(bob, { cookie: first });
  expect(await bob.ask("GET", "/v1/me")).toMatchObject(login);
  Object.assign(bob, { cookie: second, csrf });
  expect((await bob.ask("GET", "/v1/me")).status).toBe(200);
  await sql`update session set seen_at = now() - interval '61 minutes'`;
  expect(await bob.ask("GET", "/v1/me")).toMatchObject(login);
  await sql`update session set seen_at = now(), made_at = now() - interval '13 hours'`;
  expect(await bob.ask("GET", "/v1/me")).toMatchObject(login);
  await sql`update session set made_at = now()`;
  expect((await served.ask("admin", "POST", "/v1/accounts/bob", { disabled: true })).status).toBe(200);
  expect(await bob.ask("GET", "/v1/me")).toMatchObject(login);
  await bob.later();
  expect(await bob.logIn()).toMatchObject(login);
  expect((await served.ask("admin", "POST", "/v1/accounts/bob", { disabled: false })).status).toBe(200);
  await bob.later();
  expect((await bob.logIn()).status).toBe(200);
  await bob.ask("POST", "/v1/logout");
  expect(await bob.ask("GET", "/v1/me")).toMatchObject(login);
});

test("what was done by a clock that was ahead neither lasts longer nor keeps anybody out", async () => {
  const { sql } = served.fleet.database;
  const amy = await Person.ready(served, "amy", ["viewer"]);
  await sql`update session set made_at = now() + interval '1 year', seen_at = now() + interval '1 year' where account = 'amy'`;
  expect(await amy.ask("GET", "/v1/me")).toMatchObject(login);
  await amy.later();
  await sql`update account set last_step = last_step + 100000000, wrong = 12, wrong_at = now() + interval '1 year' where name = 'amy'`;
  expect((await amy.logIn()).status).toBe(200);
  // The same code once more.
  expect((await amy.logIn()).status).toBe(401);
  const late = await Person.invited(served, "late", ["viewer"]);
  await sql`update account set invited_until = now() + interval '1 year' where name = 'late'`;
  expect(await late.confirm()).toMatchObject(login);
});

test("by TLS the cookie is of a name that no other host of the domain can set", async () => {
  const tls = (headers: object) => served.fleet.server.inject({ url: "/v1/me", headers: { "x-forwarded-proto": "https", ...headers } });
  const joe = await Person.ready(served, "joe", ["viewer"]);
  const [, session = ""] = /=(ss_[^;]+)/.exec(joe.cookie) ?? [];
  expect((await tls({ cookie: `suture-fleet=${session}` })).statusCode).toBe(401);
  expect((await tls({ cookie: `__Host-suture-fleet=${session}` })).statusCode).toBe(200);
  const left = await served.fleet.server.inject({ method: "POST", url: "/v1/logout", headers: { "x-forwarded-proto": "https" } });
  for (const one of [left.headers["set-cookie"]].flat()) expect(one).toMatch(/^__Host-suture-fleet\S*=.*; Path=\/; HttpOnly; .*Secure$/);
});

test("after wrong tries the next one waits, also with the right words", async () => {
  const { sql } = served.fleet.database;
  const eve = await Person.ready(served, "eve", ["viewer"]);
  await sql`update account set wrong = 12, wrong_at = now() where name = 'eve'`;
  await eve.later();
  expect(await eve.logIn()).toMatchObject({ status: 429 });
  await sql`update account set wrong_at = now() - interval '5 minutes' where name = 'eve'`;
  expect((await eve.logIn()).status).toBe(200);
});

test("a person's key is the person's word, has no more roles, and makes no keys", async () => {
  const ida = await Person.ready(served, "ida", ["releaser", "viewer"]);
  expect(await ida.ask("POST", "/v1/me/keys", { name: "cli", roles: ["admin"] })).toMatchObject({ status: 403 });
  const { body } = await ida.ask("POST", "/v1/me/keys", { name: "cli", roles: ["releaser"], days: 1000 });
  const headers = { authorization: `Bearer ${body.key}` };
  const mine = await served.fleet.server.inject({
    method: "POST",
    url: "/v1/me/keys",
    headers,
    payload: { name: "x", roles: ["releaser"] },
  });
  expect(mine.statusCode).toBe(403);
  const [key] = await served.fleet.database.sql<{ person: string; days: number }>`
    select person, extract(day from expires_at - now())::integer as days from api_key where name = 'cli'`;
  expect(key).toEqual({ person: "account ida", days: 89 });
  const may = async () =>
    (await served.fleet.database.sql<{ role: string }>`select role from standing where person = 'account ida' order by role`).map(
      ({ role }) => role,
    );
  const me = async () => (await served.fleet.server.inject({ url: "/v1/me", headers })).json() as object;
  expect(await me()).toMatchObject({ roles: ["releaser"] });
  expect((await served.ask("admin", "GET", "/v1/keys")).body.keys).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: "cli", person: "account ida", own: true })]),
  );
  // It ends with her roles, and with her account.
  expect((await served.ask("admin", "POST", "/v1/accounts/ida", { roles: ["viewer"] })).status).toBe(200);
  expect(await may()).toEqual(["viewer"]);
  const hold = await served.fleet.server.inject({ method: "POST", url: "/v1/rollouts/x/approve", headers, payload: { what: "start" } });
  expect(hold.statusCode).toBe(403);
  expect((await served.ask("admin", "POST", "/v1/accounts/ida", { roles: ["releaser"], disabled: true })).status).toBe(200);
  expect(await me()).toMatchObject({ error: { code: "FLEET_LOGIN" } });
  expect(await may()).toEqual([]);
});

test("a key that an admin made for a program goes on without the admin, but approves nothing any more", async () => {
  const { sql } = served.fleet.database;
  const max = await Person.ready(served, "max", ["admin"]);
  const { body } = await max.ask("POST", "/v1/keys", { name: "prometheus", roles: ["viewer", "releaser"] });
  const headers = { authorization: `Bearer ${body.key}` };
  const standing = () => sql`select from standing where person = 'account max' and role = 'releaser'`;
  expect(await standing()).toHaveLength(1);
  expect((await served.ask("admin", "POST", "/v1/accounts/max", { disabled: true })).status).toBe(200);
  expect((await served.fleet.server.inject({ url: "/v1/me", headers })).statusCode).toBe(200);
  expect(await standing()).toHaveLength(0);
});

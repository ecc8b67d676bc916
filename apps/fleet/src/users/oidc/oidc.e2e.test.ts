/** People come in by a provider of OpenID Connect. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CLIENT, TestProvider } from "../../../test/provider.ts";
import { dataFolder } from "../../../test/served.ts";
import { silent } from "../../../test/silent.ts";
import { Fleet } from "../../fleet.ts";
import { changeAccount, newAccount } from "../accounts.ts";
import { readOidc } from "./configuration.ts";
import { beginOidc, endOidc } from "./login.ts";
import { Provider } from "./provider.ts";

let provider: TestProvider;
let fleet: Fleet;
const folder = dataFolder();
const file = join(folder, "oidc.json");

const configuration = () => ({
  issuer: provider.issuer,
  clientId: CLIENT.id,
  clientSecretFile: join(folder, "secret"),
  address: "https://fleet.example.org",
  roles: { "kernel team": ["operator", "releaser"], everybody: ["viewer"] },
});

beforeAll(async () => {
  provider = await TestProvider.begin();
  writeFileSync(join(folder, "secret"), `${CLIENT.secret}\n`);
  writeFileSync(file, JSON.stringify(configuration()));
  const data = dataFolder();
  fleet = await Fleet.open(
    new Task(),
    { data, databaseUrl: undefined, repository: undefined, trialChannels: [], oidc: await readOidc(file) },
    silent,
  );
});
afterAll(async () => {
  provider.end();
  await fleet.close();
});
beforeEach(() => {
  provider.claims = { sub: "4711", preferred_username: "ada@example.org", groups: ["kernel team", "football"] };
  provider.wrong = {};
  provider.forged = false;
});

let address = 1;
/** One address asks so often in a minute. */
const from = () => `192.0.2.${++address % 250}`;

/** A browser at the provider, and what brings it back. */
async function begun(to = "/hosts"): Promise<{ back: string; cookie: string }> {
  const answer = await fleet.server.inject({ url: `/login/oidc?to=${encodeURIComponent(to)}`, remoteAddress: from() });
  expect(answer.statusCode).toBe(303);
  const [cookie = ""] = String(answer.headers["set-cookie"]).split(";");
  expect(answer.headers["set-cookie"]).toMatch(/HttpOnly; SameSite=Lax; Max-Age=600/);
  const there = await fetch(String(answer.headers.location), { redirect: "manual" });
  const back = new URL(there.headers.get("location") ?? "");
  expect(back.origin + back.pathname).toBe("https://fleet.example.org/login/oidc/callback");
  return { back: back.pathname + back.search, cookie };
}

const ended = ({ back, cookie }: { back: string; cookie: string }) =>
  fleet.server.inject({ url: back, headers: { cookie }, remoteAddress: from() });

/** Its session's cookie. */
async function loggedIn(): Promise<string> {
  const answer = await ended(await begun());
  expect([answer.statusCode, /<p><b>(.*?)<\/b>/.exec(answer.body)?.[1]]).toEqual([200, undefined]);
  const cookies = [answer.headers["set-cookie"]].flat().map(String);
  return cookies.find((one) => one.startsWith("suture-fleet=ss_"))?.split(";")[0] ?? "";
}

async function refused(why: string | RegExp): Promise<void> {
  const answer = await ended(await begun());
  expect(answer.statusCode, String(why)).toBe(401);
  expect(/<p><b>(.*?)<\/b>/.exec(answer.body)?.[1]).toMatch(why);
  expect(String(answer.headers["set-cookie"])).not.toContain("ss_");
}

test("who the provider knows comes in, with the roles that it gives at that moment, and goes on where she wanted to", async () => {
  const answer = await ended(await begun("/hosts?status=silent"));
  expect(answer.body).toContain('<meta http-equiv="refresh" content="0;url=/hosts?status=silent">');
  const cookie = await loggedIn();
  const me = async () => (await fleet.server.inject({ url: "/v1/me", headers: { cookie } })).json() as object;
  expect(await me()).toMatchObject({ name: "ada", roles: ["operator", "releaser"] });
  provider.claims.groups = "everybody";
  await loggedIn();
  expect(await me()).toMatchObject({ name: "ada", roles: ["viewer"] });
  provider.claims.groups = ["football", "__proto__", "constructor"];
  await refused(/gives ada no role/);
  provider.claims = { sub: "4711", preferred_username: "<script>", groups: "everybody" };
  await refused(/no name of an account/);
});

test.each([
  ["another issuer", { iss: "https://evil.example" }, /iss/],
  ["another audience", { aud: "another-client" }, /aud/],
  ["another nonce", { nonce: "of another login" }, /nonce/],
  ["that has expired", { exp: Math.floor(Date.now() / 1000) - 3600 }, /exp/],
  ["of the future", { nbf: Math.floor(Date.now() / 1000) + 3600 }, /nbf/],
  ["without a subject", { sub: undefined }, /sub/],
] as const)("a token of %s is refused", async (_what, wrong, why) => {
  provider.wrong = { ...wrong } as typeof provider.wrong;
  await refused(why);
});

test("what the provider said holds for approvals and keys until it is asked again, and a name is of whom it may be", async () => {
  const { sql } = fleet.database;
  const cookie = await loggedIn();
  const csrf = ((await fleet.server.inject({ url: "/v1/me", headers: { cookie } })).json() as { csrf: string }).csrf;
  const made = await fleet.server.inject({
    method: "POST",
    url: "/v1/me/keys",
    headers: { cookie, "x-csrf": csrf },
    payload: { name: "cli", roles: ["releaser"] },
  });
  const headers = { authorization: `Bearer ${(made.json() as { key: string }).key}` };
  const me = async () => (await fleet.server.inject({ url: "/v1/me", headers })).statusCode;
  const standing = () => sql`select from standing where person = 'account ada'`;
  expect([await me(), (await standing()).length]).toEqual([200, 2]);
  await sql`update account set roles_until = now() - interval '1 minute' where name = 'ada'`;
  expect([await me(), (await standing()).length]).toEqual([401, 0]);
  await loggedIn();
  expect([await me(), (await standing()).length]).toEqual([200, 2]);
  const [deed] = await sql<{ detail: string }>`select detail from audit where what = 'logged in' order by n desc limit 1`;
  expect(deed?.detail).toContain("ada@example.org");
  const at = async (nameDomains: string[]) => {
    const narrow = new Provider({ ...(await readOidc(file)), nameDomains });
    const { address: there, browser } = await beginOidc(sql, narrow, "/", false);
    const back = new URL((await fetch(there, { redirect: "manual" })).headers.get("location") ?? "");
    return endOidc(sql, narrow, back.search, browser, undefined);
  };
  await expect(at(["example.com"])).rejects.toMatchObject({ code: "FLEET_LOGIN", message: expect.stringContaining("example.com") });
  expect(await at(["example.com", "Example.org"])).toMatchObject({ next: "/" });
});

test("who comes after somebody who has left is asked by the provider who it is", async () => {
  const prompt = async (cookie: string) => {
    const answer = await fleet.server.inject({ url: "/login/oidc", headers: { cookie }, remoteAddress: from() });
    return new URL(String(answer.headers.location)).searchParams.get("prompt");
  };
  const left = await fleet.server.inject({ method: "POST", url: "/v1/logout", remoteAddress: from() });
  const cookies = [left.headers["set-cookie"]].flat().map(String);
  const mark = cookies.find((one) => one.startsWith("suture-fleet-left=yes"))?.split(";")[0] ?? "";
  expect([await prompt(""), await prompt(mark)]).toEqual([null, "login"]);
});

test("who came from the provider and logs out here is sent there, where its own session ends", async () => {
  const cookie = await loggedIn();
  const { csrf } = (await fleet.server.inject({ url: "/v1/me", headers: { cookie } })).json() as { csrf: string };
  const answer = await fleet.server.inject({
    method: "POST",
    url: "/logout",
    headers: { cookie, "content-type": "application/x-www-form-urlencoded" },
    payload: `csrf=${encodeURIComponent(csrf)}`,
  });
  expect(answer.statusCode).toBe(200);
  expect(answer.body).toContain(`content="0;url=${provider.issuer}/leave?client_id=${CLIENT.id}`);
  expect((await fleet.server.inject({ url: "/v1/me", headers: { cookie } })).statusCode).toBe(401);
});

test("a token that the provider has not signed is refused, though it came from it", async () => {
  provider.forged = true;
  await refused(/signature/i);
});

test("an answer is good once, for the browser in which the login began, and for ten minutes", async () => {
  const first = await begun();
  expect((await ended({ ...first, cookie: "" })).statusCode).toBe(401);
  // Another browser's cookie: somebody is to be logged in as somebody else.
  const second = await begun();
  expect((await ended({ back: first.back, cookie: second.cookie })).statusCode).toBe(401);
  expect((await ended(first)).statusCode).toBe(200);
  expect((await ended(first)).statusCode).toBe(401);
  const { sql } = fleet.database;
  await sql`update oidc_login set at = now() - interval '11 minutes'`;
  expect((await ended(second)).statusCode).toBe(401);
  const forged = await begun();
  expect((await ended({ ...forged, back: forged.back.replace(/state=[^&]+/, "state=mine") })).statusCode).toBe(401);
  const wrongCode = await begun();
  expect((await ended({ ...wrongCode, back: wrongCode.back.replace(/code=[^&]+/, "code=mine") })).statusCode).toBe(401);
  const denied = await begun();
  expect((await ended({ ...denied, back: denied.back.replace(/code=[^&]+/, "error=access_denied") })).statusCode).toBe(401);
});

test("an account of this server's own is taken over by nobody, and one of the provider has no password here", async () => {
  const { sql } = fleet.database;
  await newAccount(sql, "test", { name: "bob", roles: ["admin"] });
  provider.claims = { sub: "666", preferred_username: "bob", groups: "everybody" };
  await refused(/another account bob/);
  provider.claims = { sub: "667", preferred_username: "ada", groups: "everybody" };
  await refused(/another account ada/);
  provider.claims = { sub: "4711", preferred_username: "ada", groups: "everybody" };
  const cookie = await loggedIn();
  await expect(changeAccount(sql, "test", "ada", { roles: ["admin"] })).rejects.toMatchObject({ code: "FLEET_STATE" });
  await expect(changeAccount(sql, "test", "ada", { invite: true })).rejects.toMatchObject({ code: "FLEET_STATE" });
  await expect(sql`update account set password = 'x' where name = 'ada'`).rejects.toMatchObject({ code: "23514" });
  await changeAccount(sql, "test", "ada", { disabled: true });
  expect((await fleet.server.inject({ url: "/v1/me", headers: { cookie } })).statusCode).toBe(401);
  await refused(/disabled/);
});

test("the page of the login leads there, and a file that is not right is refused when the server starts", async () => {
  expect((await fleet.server.inject({ url: "/login?to=/cves" })).body).toContain('href="/login/oidc?to=%2Fcves"');
  for (const [more, why] of [
    [{ issuer: "http://id.example.org" }, "https"],
    [{ address: "http://fleet.example.org" }, "https"],
    [{ roles: { x: ["king"] } }, "roles"],
    [{ more: 1 }, "more"],
    [{ rolesHours: 0 }, "rolesHours"],
    [{ clientSecretFile: join(folder, "none") }, "none"],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...configuration(), ...more }));
    await expect(readOidc(file), why).rejects.toMatchObject({ code: "FLEET_USAGE", message: expect.stringContaining(why) });
  }
});

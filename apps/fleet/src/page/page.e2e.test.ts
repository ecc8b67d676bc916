/** What people see, and do by forms. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { STATE, send } from "../../test/machine.ts";
import { Person } from "../../test/person.ts";
import { Rolling } from "../../test/rolling.ts";
import { Knowledge } from "../knowledge/knowledge.ts";
import { sampleLevels, sampleRollouts } from "../samples/samples.ts";

let of: Rolling;
let ada: Person;
beforeAll(async () => {
  of = await Rolling.begin();
  ada = await Person.ready(of.served, "ada", ["viewer", "operator"]);
});
afterAll(() => of.served.fleet.close());

interface Seen {
  status: number;
  text: string;
  policy: string;
  location: string | undefined;
}

/** @param words of a form */
async function browse(url: string, words?: Record<string, string>, headers: Record<string, string> = {}): Promise<Seen> {
  const answer = await of.served.fleet.server.inject({
    method: words === undefined ? "GET" : "POST",
    url,
    headers: { cookie: ada.cookie.split(";")[0] ?? "", "content-type": "application/x-www-form-urlencoded", ...headers },
    ...(words === undefined ? {} : { payload: new URLSearchParams(words).toString() }),
  });
  const { statusCode: status, body: text } = answer;
  return { status, text, policy: String(answer.headers["content-security-policy"]), location: answer.headers.location };
}

const csrfIn = (text: string): string => /name="csrf" value="(\w{64})"/.exec(text)?.[1] ?? "";

test("each page is there, loads nothing from elsewhere, and shows what others wrote as text", async () => {
  const [machine] = of.machines;
  if (machine === undefined) throw new Error("no machines");
  machine.state = { ...STATE, hold: '<script>alert("x")</script>' };
  await send(of.served, machine.report());
  const fix = await of.begun();
  for (const url of [
    "/",
    "/hosts",
    "/hosts?status=&state=approved&name=host-1&label=&buildId=&livepatch=",
    `/hosts/${machine.host}`,
    "/rollouts",
    `/rollouts/${fix.id}`,
    "/livepatches",
    "/cves",
    "/cves?id=x&open=1",
    "/keys",
    "/audit?check=1",
    "/login",
    "/welcome",
  ]) {
    const { status, text, policy } = await browse(url);
    expect(status, url).toBe(200);
    expect(text, url).toMatch(/^<!DOCTYPE html>\n<html lang="en">/);
    expect(text.match(/<h1>/g), url).toHaveLength(1);
    expect(text.replace(/<script>const at=.*?<\/script>/, ""), url).not.toMatch(/<script|<link|src=|style="|javascript:|https?:\/\//);
    expect(policy, url).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(policy, url).not.toContain("unsafe");
  }
  expect((await browse(`/hosts/${machine.host}`)).text).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
  expect((await browse("/hosts/0000")).status).toBe(400);
  expect(await browse("/rollouts/none")).toMatchObject({ status: 404, text: expect.stringContaining("there is no roll-out none") });
  await of.over(fix);
});

test("lines show how a roll-out went and how levels change, where there is time between two numbers", async () => {
  const { sql } = of.served.fleet.database;
  const fix = await of.begun();
  await sampleRollouts(sql, true);
  await sql`update rollout_sample set at = at - interval '10 minutes'`;
  await of.become(of.machines.slice(0, 3), "intent", fix);
  await sampleRollouts(sql, true);
  // The same again is no other number.
  await sampleRollouts(sql, true);
  expect(await sql`select exposed from rollout_sample where rollout = ${fix.id} order by at`).toEqual([{ exposed: 0 }, { exposed: 3 }]);
  expect((await browse(`/rollouts/${fix.id}`)).text).toContain('aria-label="Machines; now exposed: 3, took and keep it: 0, failed: 0"');
  await sampleLevels(sql, new Knowledge(sql));
  expect((await browse("/")).text).not.toContain("<svg");
  await sql`insert into level_sample select at - interval '5 hours', level, machines - 1 from level_sample`;
  expect((await browse("/")).text).toContain(`aria-label="Machines by effective level; now not known: ${of.machines.length}"`);
  await of.over(fix);
});

test("a roll-out is held by one click of who may, with what the page gave, and by nothing from elsewhere", async () => {
  const fix = await of.begun();
  const url = `/rollouts/${fix.id}/hold`;
  const page = await browse(`/rollouts/${fix.id}`);
  expect(page.text).toContain("Hold it now");
  // An operator approves nothing.
  expect(page.text).not.toContain("Approve");
  const words = { csrf: csrfIn(page.text), why: "held on the page by ada" };
  expect(await browse(url, { ...words, csrf: "" })).toMatchObject({ status: 401, text: expect.stringContaining("another site") });
  expect(await browse(url, words, { "sec-fetch-site": "cross-site" })).toMatchObject({ status: 401 });
  expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling" });
  expect(await browse(url, words, { "sec-fetch-site": "same-origin" })).toMatchObject({ status: 303, location: `/rollouts/${fix.id}` });
  expect(await of.shown(fix.id)).toMatchObject({ phase: "held", why: "held on the page by ada" });
  expect(await of.out(fix.id)).toMatchObject({ state: "held" });
  expect((await browse(`/rollouts/${fix.id}`)).text).toContain("Go on");
  expect(await browse(`/rollouts/${fix.id}/skip`, { ...words, stage: "0" })).toMatchObject({ status: 403 });
  await of.over(fix);
});

test("who is not logged in is asked to, and comes back to where he wanted to be on this server", async () => {
  const { cookie } = ada;
  Object.assign(ada, { cookie: "" });
  expect(await browse("/hosts?status=silent")).toMatchObject({ status: 303, location: "/login?to=%2Fhosts%3Fstatus%3Dsilent" });
  expect((await browse("/login?to=%2Fhosts")).text).toContain('name="to" value="/hosts"');
  for (const to of ["//evil.example", "https://evil.example", "/\\evil.example"])
    expect((await browse(`/login?to=${encodeURIComponent(to)}`)).text).toContain('name="to" value="/"');
  await ada.later();
  const { name, password, code } = ada;
  expect(await browse("/login", { name, password, code: "000000", to: "/hosts" })).toMatchObject({
    status: 401,
    text: expect.stringContaining("code is wrong"),
  });
  expect(await browse("/login", { name, password, code, to: "/hosts" })).toMatchObject({ status: 303, location: "/hosts" });
  Object.assign(ada, { cookie });
});

test("pages follow each other until the last machine", async () => {
  const found = new Set<string>();
  for (let url: string | undefined = "/hosts?name=host-"; url !== undefined; ) {
    const { text } = await browse(url);
    for (const [, id = ""] of text.matchAll(/href="\/hosts\/(\w{32})"/g)) found.add(id);
    url = /<a rel="next" href="([^"]+)"/.exec(text)?.[1]?.replaceAll("&amp;", "&");
  }
  expect(found.size).toBe(of.machines.length);
});

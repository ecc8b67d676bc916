/**
 * The page as people see it, in a browser: somebody is invited and logs in, two roll-outs go through their stages while it is watched, one is held by a click and
 * goes on, one is withdrawn. The machines are simulated, by the agent's own code; the server, its database, its repository and the browser are not.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { codeAt } from "../../apps/fleet/src/users/second-factor.ts";
import { accountFor, manifestFor } from "../../apps/fleet/test/catch-up.ts";
import { Claims } from "../claims.ts";
import { COMMON } from "../options.ts";
import { randomFrom } from "../power-cuts/cuts.ts";
import type { Found, Run, RunContext } from "../run.ts";
import { World } from "../simulated-fleet/world.ts";
import { Browser, type Look } from "./browser.ts";

const LOOKS: Readonly<Record<string, Look>> = {
  wide: { width: 1280, dark: false },
  narrow: { width: 400, dark: false },
  dark: { width: 1280, dark: true },
  "narrow-dark": { width: 400, dark: true },
};
const PASSWORD = "correct horse battery staple";
const STAGES = [
  { name: "canary", label: "canary", percent: 100, leastHosts: 15 },
  { name: "ten", percent: 10, leastHosts: 10 },
  { name: "half", percent: 50, leastHosts: 50, leastHours: 1 },
  { name: "all", percent: 100, leastHosts: 100 },
];
const SOAK = 900;
const LONGEST = 8 * 60;
/** Sessions end after an hour without a request, by the clock that the run sets. */
const ALIVE_MINUTES = 20;
const NOTED_MINUTES = 5;
/** The page renews what is live by itself after five seconds. */
const LIVE_MS = 60_000;

export const fleetPage: Run = {
  name: "fleet-page",
  what: "the fleet's page in a browser, wide, narrow and dark: a person comes in, two roll-outs are watched, held, withdrawn; pictures of each page",
  needs: { chromium: "chromium", "/usr/lib/postgresql": "postgresql" },
  words: { machines: { value: "N", what: "in the fleet", is: "400", short: "100" }, seed: COMMON.seed },
  async run(context) {
    await context.item("the page", () => watched(context));
  },
};

async function watched(context: RunContext): Promise<Found> {
  const folder = join(context.folder, "pictures");
  mkdirSync(folder, { recursive: true });
  const world = await World.begin(context.task, context.options.number("machines"));
  const browser = await Browser.open(context.task);
  try {
    const seen = new Watch(world, browser, folder, randomFrom(context.options.number("seed")));
    await seen.comesIn();
    await seen.pages("before");
    await seen.firstRelease();
    await seen.pages("between");
    await seen.nextRelease();
    await seen.pages("after");
    const { claims, pictures } = seen;
    claims.holds("pages complain of nothing", browser.complaints.length === 0, browser.complaints);
    claims.holds(
      "nobody but the server is asked",
      [...browser.origins].every((origin) => origin === new URL(world.url).origin),
      [...browser.origins],
    );
    claims.holds("the audit's chain is whole", (await world.brokenAudit()) === undefined, undefined);
    return { ...claims.found, outcome: `${pictures} pictures in ${folder}`, more: { browser: Browser.version(), pictures } };
  } finally {
    await browser.close();
    await world.close();
  }
}

class Watch {
  readonly claims = new Claims();
  pictures = 0;
  readonly #world: World;
  readonly #browser: Browser;
  readonly #folder: string;
  readonly #random: () => number;

  constructor(world: World, browser: Browser, folder: string, random: () => number) {
    this.#world = world;
    this.#browser = browser;
    this.#folder = folder;
    this.#random = random;
  }

  #url = (path: string): string => new URL(path, this.#world.url).href;

  /** An invitation, a password, a second factor, a login: by the forms. */
  async comesIn(): Promise<void> {
    const browser = this.#browser;
    const roles = ["viewer", "operator", "releaser", "admin"];
    const { status, body } = await this.#world.as("alma", "POST", "v1/accounts", { name: "eve", roles });
    if (status !== 200) throw new Error(JSON.stringify(body));
    await browser.goTo(this.#url("hosts"));
    this.claims.holds("who is not logged in is asked to", (await browser.evaluate<string>("location.pathname")) === "/login", undefined);
    await this.#shown("login");
    await browser.goTo(this.#url("welcome"));
    await browser.fill("[name=invitation]", String(body.invitation));
    await browser.press("button.go");
    const secret = (await browser.evaluate<string>('document.querySelector(".box.m").textContent')).replaceAll(" ", "");
    await browser.fill("[name=password]", PASSWORD);
    await browser.fill("[name=code]", codeAt("eve", secret, Date.now()));
    await browser.press("button.go");
    // A code counts once: the next one, which clocks that differ make as good.
    await browser.fill("[name=name]", "eve");
    await browser.fill("[name=password]", PASSWORD);
    await browser.fill("[name=code]", codeAt("eve", secret, Date.now() + 30_000));
    await browser.press("button.go");
    this.claims.holds(
      "who was invited is in",
      (await browser.evaluate<string>("document.body.textContent")).includes("Log out"),
      undefined,
    );
  }

  /** All pages, in all looks. */
  async pages(when: string): Promise<void> {
    const host = this.#world.machines[0]?.host ?? "";
    for (const path of [
      "",
      "rollouts",
      "hosts",
      `hosts/${host}`,
      "cves",
      "livepatches",
      "builds",
      "keys",
      "tokens",
      "people",
      "audit?check=1",
      "me",
    ]) {
      await this.#browser.goTo(this.#url(path));
      await this.#browser.key("Tab");
      const first = await this.#browser.evaluate<string>("document.activeElement?.className ?? ''");
      this.claims.holds("the keyboard begins with the way to the contents", first === "skip", { path, first });
      await this.#browser.evaluate("document.activeElement.blur()");
      await this.#shown(`${when}-${path === "" ? "glance" : path.replace(/[/?].*/, path.includes("/") ? "-one" : "")}`);
    }
  }

  async firstRelease(): Promise<void> {
    const world = this.#world;
    const account = accountFor();
    const plan = { soak: SOAK, stages: STAGES };
    await world.begun("release-1", plan, [
      manifestFor(account),
      { account: account, review: (sha256) => `<script>document.title="run"</script><h1>Review</h1><p>${sha256}</p>` },
    ]);
    await this.#browser.goTo(this.#url("rollouts/release-1"));
    await this.#shown("release-1-canary");
    await this.#minutes("release-1", (stage) => stage === 1);
    await this.#liveIsAt("ten");
    await this.#shown("release-1-ten");
    // One click.
    await this.#browser.press("form[action$='/hold'] button");
    this.claims.holds("a click holds it", (await world.shown("release-1")).phase === "held", await world.shown("release-1"));
    await this.#shown("release-1-held");
    await world.agreed("release-1", "start");
    this.claims.holds("it goes on when two have agreed", (await world.does("olga", "release-1", "resume")) === 200, undefined);
    await this.#liveHas("form[action$='/hold'] button", "it can be held again by a click");
    await this.#minutes("release-1", (stage) => stage === 2);
    await this.#liveIsAt("half");
    await this.#shown("release-1-half");
    await this.#minutes("release-1", (_, phase) => phase === "done");
    await this.#becomes('document.querySelector("#live p")?.textContent.startsWith("done")', "what is live says that it is done by itself");
    await world.noted();
    await this.#shown("release-1-done");
    const { livepatch } = await world.shown("release-1");
    await this.#browser.goTo(this.#url(`livepatches/${livepatch}`));
    await this.#shown("livepatch");
    await this.#browser.goTo(this.#url(`livepatches/${livepatch}/review`));
    this.claims.holds("a page of review runs nothing", (await this.#browser.evaluate<string>("document.title")) !== "run", undefined);
    // That it was refused is what the browser complains of.
    this.#browser.complaints.splice(0);
    await this.#browser.goTo(this.#url("cves/CVE-2026-1002"));
    await this.#shown("cve");
  }

  async nextRelease(): Promise<void> {
    const world = this.#world;
    await world.begun("release-2", { soak: SOAK, stages: STAGES });
    await this.#browser.goTo(this.#url("rollouts/release-2"));
    await this.#minutes("release-2", (stage) => stage === 1);
    await this.#liveIsAt("ten");
    await this.#browser.fill("form[action$='/withdraw'] [name=why]", "it smells");
    await this.#browser.press("form[action$='/withdraw'] button");
    this.claims.holds("a form withdraws it", (await world.shown("release-2")).phase === "withdrawn", await world.shown("release-2"));
    await this.#shown("release-2-withdrawn");
  }

  async #minutes(id: string, until: (stage: number, phase: string) => boolean): Promise<void> {
    for (let minute = 0; minute < LONGEST; minute++) {
      const { stage, phase, why } = await this.#world.shown(id);
      if (until(stage, phase)) return;
      if (phase === "held") throw new Error(`${id} was halted: ${why}`);
      await this.#world.minute(this.#random);
      if (minute % NOTED_MINUTES === 0) await this.#world.noted();
      if (minute % ALIVE_MINUTES === 0) await this.#browser.evaluate("fetch('/v1/me').then((r) => r.status)");
    }
    throw new Error(`${id} does not come to that`);
  }

  /** The page says it without being loaded anew. */
  async #liveIsAt(stage: string): Promise<void> {
    const now = 'document.querySelector("#live li[aria-current] b")?.textContent';
    await this.#becomes(`${now} === ${JSON.stringify(stage)}`, `what is live is at ${stage} by itself`);
  }

  async #liveHas(selector: string, what: string): Promise<void> {
    await this.#becomes(`document.querySelector(${JSON.stringify(selector)}) !== null`, what);
  }

  async #becomes(is: string, what: string): Promise<void> {
    const looks = `new Promise((done) => { const end = Date.now() + ${LIVE_MS}; const look = () => { const is = ${is}; if (is || Date.now() > end) done(is); else setTimeout(look, 200); }; look(); })`;
    this.claims.holds(what, (await this.#browser.evaluate<boolean>(looks)) === true, undefined);
  }

  /** A picture in each look; and what no page may have in any. */
  async #shown(name: string): Promise<void> {
    const browser = this.#browser;
    for (const [look, how] of Object.entries(LOOKS)) {
      await browser.look(how);
      const [wide = 0, of = 0, headings = 0] = await browser.evaluate<number[]>(
        "[document.documentElement.scrollWidth, innerWidth, document.querySelectorAll('h1').length]",
      );
      this.claims.holds("a page is as wide as its window", wide <= of, { name, look, wide, of });
      this.claims.holds("a page has one heading", headings === 1, { name, headings });
      await browser.shot(join(this.#folder, `${name}-${look}.png`));
      this.pictures += 1;
    }
  }
}

/** A person with a browser's cookie and a phone with codes. */

import type { Role } from "../src/users/roles.ts";
import { codeAt } from "../src/users/second-factor.ts";
import type { Answered, Served } from "./served.ts";

export class Person {
  readonly name: string;
  readonly password = "correct horse battery staple";
  readonly #served: Served;
  readonly #invitation: string;
  readonly #secret: string;
  #now = Date.now();
  cookie = "";
  csrf = "";

  private constructor(served: Served, name: string, invitation: string, secret: string) {
    this.#served = served;
    this.name = name;
    this.#invitation = invitation;
    this.#secret = secret;
  }

  static async invited(served: Served, name: string, roles: Role[]): Promise<Person> {
    const { invitation } = (await served.ask("admin", "POST", "/v1/accounts", { name, roles })).body as { invitation: string };
    const { secret } = (await served.ask(undefined, "POST", "/v1/welcome", { invitation })).body as { secret: string };
    return new Person(served, name, invitation, secret);
  }

  /** Logged in. */
  static async ready(served: Served, name: string, roles: Role[]): Promise<Person> {
    const person = await Person.invited(served, name, roles);
    await person.confirm();
    await person.later();
    const { status } = await person.logIn();
    if (status !== 200) throw new Error(`${name} is not let in: ${status}`);
    return person;
  }

  get code(): string {
    return codeAt(this.name, this.#secret, this.#now);
  }

  /** Half a minute: the phone shows a code that was not used yet. */
  async later(): Promise<void> {
    this.#now = Date.now();
    await this.#served.fleet.database.sql`update account set last_step = 0 where name = ${this.name}`;
  }

  confirm(more: object = {}): Promise<Answered> {
    const { password, code } = this;
    return this.ask("POST", "/v1/welcome/confirm", { invitation: this.#invitation, password, code, ...more });
  }

  async logIn(more: object = {}): Promise<Answered> {
    const { name, password, code } = this;
    const answer = await this.ask("POST", "/v1/login", { name, password, code, ...more });
    if (answer.status === 200) this.csrf = String((await this.ask("GET", "/v1/me")).body.csrf);
    return answer;
  }

  async ask(method: "GET" | "POST", url: string, body?: object, more: Record<string, string> = {}): Promise<Answered> {
    const headers = { ...(this.cookie === "" ? {} : { cookie: this.cookie.split(";")[0] }), "x-csrf": this.csrf, ...more };
    const answer = await this.#served.fleet.server.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
    const set = answer.headers["set-cookie"];
    if (typeof set === "string") this.cookie = set;
    return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
  }
}

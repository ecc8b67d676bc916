/** The machine of the fleet's server, and its people: at its console, at their own machines with `suture fleet`, and with keys offline. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { Task } from "@suture/task";
import { DEBS, type Furnished } from "../follow/system.ts";
import type { Transcript } from "../follow/transcript.ts";
import type { SystemMachine } from "../power-cuts/system-machine.ts";
import { ROOT } from "../run.ts";

/** The package of the server itself is left to be installed, as somebody does it; the archive's that it needs are there. */
export const SERVES: Furnished = {
  name: "serves",
  packages: ["iproute2", "nginx-light", "postgresql"],
  ours: ["suture-node", "suture"],
  brought: ["suture-fleet"],
  size: 2 * 1024 ** 3,
};
export const FLEET = "acme";
const DATA = "/var/lib/suture-fleet";
const AS_SERVER = `setpriv --reuid suture-fleet --regid suture-fleet --init-groups env -C ${DATA} SUTURE_PASSPHRASE_FILE=passphrase`;
/** An emulated machine, on one that is busy with other things. */
const PATIENCE_MS = 900_000;
const HOLDERS = {
  root: "2:ada.pub,bob.pub,cyd.pub",
  patches: "2:dan.pub,eva.pub",
  withdrawal: "1:walt.pub",
  policy: "1:server.pub",
  snapshot: "1:server.pub",
  timestamp: "1:server.pub",
};
const HOLDER_NAMES = ["ada", "bob", "cyd", "dan", "eva", "walt", "server"] as const;
type HolderName = (typeof HOLDER_NAMES)[number];
export const PEOPLE = { olga: "operator", rita: "releaser", rolf: "releaser" } as const;
export type Person = keyof typeof PEOPLE;

/** Before the server: the page and what it answers, and the repository's files. */
const NGINX = `server {
  listen 80 default_server;
  location /patches/ { alias ${DATA}/published/; }
  location / {
    proxy_pass http://127.0.0.1:8780;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  }
}
`;

export class FleetServer {
  readonly url: string;
  readonly machine: SystemMachine;
  readonly #task: Task;
  readonly #transcript: Transcript;
  readonly #folder: string;

  /** @param folder of people on their own machines. @param port of this machine's, that leads to its web server */
  constructor(task: Task, parts: { machine: SystemMachine; transcript: Transcript; folder: string; port: number }) {
    this.#task = task;
    this.machine = parts.machine;
    this.#transcript = parts.transcript;
    this.#folder = parts.folder;
    this.url = `http://127.0.0.1:${parts.port}/`;
  }

  async type(command: string): Promise<string> {
    const { output, code } = await this.machine.guest.run(command, { timeoutMs: PATIENCE_MS });
    this.#transcript.add("server#", command, output.trim());
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${output.slice(-1000)}`);
    return output.trim();
  }

  /** The two commands. @returns the invitation */
  async install(): Promise<string> {
    await this.type(`apt-get -qq -y install ${DEBS}/suture-fleet_*.deb 2>&1`);
    const printed = await this.type("suture-fleet account ada --role admin --role releaser");
    const invitation = /\b[\w-]{20,}\b/.exec(printed)?.[0];
    if (invitation === undefined) throw new Error(`no invitation in ${printed}`);
    return invitation;
  }

  /** Behind a web server, with a repository that it steers. */
  async steers(): Promise<void> {
    const { guest } = this.machine;
    await guest.put("/etc/nginx/sites-available/default", Buffer.from(NGINX));
    await this.type("nginx -t 2>&1 && systemctl restart nginx");
    await guest.put(`${DATA}/passphrase`, Buffer.from("correct horse battery staple\n"));
    await this.type(`chown suture-fleet: ${DATA}/passphrase && chmod 600 ${DATA}/passphrase`);
    for (const name of HOLDER_NAMES) await this.suture("repo", "key", "new", name);
    const holders = Object.entries(HOLDERS).flatMap(([role, who]) => ["--holders", `${role}=${who}`]);
    await this.suture("repo", "init", "repository", "--fleet", FLEET, ...holders);
    await this.sign("ada", "bob", "dan", "eva", "walt", "server");
    await this.publish();
    const options = `--repository ${DATA}/repository --publish ${DATA}/published --key ${DATA}/server.key`;
    await this.type(
      `printf '%s\\n' 'SUTURE_FLEET_OPTIONS="${options}"' SUTURE_PASSPHRASE_FILE=${DATA}/passphrase >>/etc/default/suture-fleet && systemctl restart suture-fleet`,
    );
    await this.answers();
  }

  async answers(): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; ; ) {
      const answer = await fetch(new URL("healthz", this.url)).catch(() => undefined);
      if (answer?.ok === true) return;
      if (Date.now() > deadline)
        throw new Error(`the server does not answer: ${await this.type("journalctl --no-pager -n 30 -u suture-fleet")}`);
      this.#task.check();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  /** At the server's console, as the user that it runs as. */
  async suture(...words: string[]): Promise<string> {
    const quoted = words.map((word) => (/^[\w./=:,-]+$/.test(word) ? word : `'${word}'`)).join(" ");
    return this.type(`${AS_SERVER} suture ${quoted}`);
  }

  /** Each is shown what it is, and signs that by its digest. */
  async sign(...names: HolderName[]): Promise<void> {
    for (const name of names) {
      const words = ["repo", "sign", "repository", "--key", `${name}.key`];
      const [, digest = ""] = /--read ([0-9a-f]{64})/.exec(await this.suture(...words)) ?? [];
      await this.suture(...words, "--read", digest);
    }
  }

  async publish(): Promise<void> {
    await this.suture("repo", "publish", "repository", "published", "--key", "server.key");
  }

  /** @param files livepatches, each with its account and its page of review beside it, on this machine */
  async offers(files: readonly string[]): Promise<void> {
    const { guest } = this.machine;
    for (const file of files) {
      const beside = { account: file.replace(/\.ko$/, ".json"), review: file.replace(/\.ko$/, ".html") };
      for (const one of [file, ...Object.values(beside)]) await guest.put(`/tmp/${basename(one)}`, readFileSync(one));
      await this.type(`chmod 644 /tmp/${basename(file, ".ko")}.*`);
      const words = Object.entries(beside).flatMap(([word, path]) => [`--${word}`, `/tmp/${basename(path)}`]);
      await this.suture("repo", "add", "repository", `/tmp/${basename(file)}`, ...words);
    }
    await this.sign("dan", "eva");
    await this.publish();
  }

  /** Somebody comes by a key, made on the server's machine. */
  async comes(person: Person): Promise<void> {
    const printed = await this.type(`suture-fleet key ${person} --role ${PEOPLE[person]}`);
    const key = printed.split("\n").findLast((line) => /^\S{20,}$/.test(line)) ?? "";
    const home = this.#homeOf(person);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "key"), `${key}\n`, { mode: 0o600 });
    await this.fleet(person, "login", this.url, "--key-file", join(home, "key"));
  }

  /** `suture fleet ...`, on that person's own machine. */
  async fleet(person: Person, ...words: string[]): Promise<string> {
    const env = { ...process.env, HOME: this.#homeOf(person), XDG_CONFIG_HOME: join(this.#homeOf(person), ".config") };
    const shown = `suture fleet ${words.map((word) => (word.includes(" ") ? `'${word}'` : word)).join(" ")}`;
    const ran = promisify(execFile)(join(ROOT, "suture"), ["fleet", ...words], { env, encoding: "utf8", maxBuffer: 2 ** 26 });
    const { stdout } = await ran.catch((error: { stdout: string; stderr: string }) => {
      this.#transcript.add(`${person}$`, shown, `${error.stdout}${error.stderr}`);
      throw error;
    });
    this.#transcript.add(`${person}$`, shown, stdout.trimEnd());
    return stdout;
  }

  async asks(person: Person, method: "GET" | "POST", path: string, body?: object): Promise<Record<string, unknown>> {
    const key = readFileSync(join(this.#homeOf(person), "key"), "utf8").trim();
    const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const answer = await fetch(new URL(path, this.url), { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const found = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(found)}`);
    return found;
  }

  #homeOf = (person: Person): string => join(this.#folder, `home-${person}`);
}

/** A guest whose agent follows a signed repository on a web server of its own. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Guest, GuestFile } from "@suture/lab";
import { type Answer, suture, type Yard } from "./host-guest.ts";
import { SignedFolder } from "./signed-folder.ts";

const FLEET = "prod";
/** At most, on a machine that is busy with other things. */
const BOOT_MS = 300_000;

/** A soak of two seconds, and no probes. The first of its mirrors is not there. */
const CONFIGURATION = {
  "suture-agent": 1,
  repositories: ["http://127.0.0.1:8081/", "http://127.0.0.1:8080/"],
  fleet: FLEET,
  soakSeconds: 2,
  transitionSeconds: 3,
  user: "nobody",
  textfile: "/var/lib/suture/suture.prom",
};

/** All states of a repository, one after the other, in one folder: which of them a machine sees is a matter of the timestamp. */
export class States {
  readonly repository: SignedFolder;
  readonly #yard: Yard;
  readonly #timestamps: GuestFile[] = [];

  /** @param folder to be made */
  constructor(yard: Yard, folder: string) {
    this.#yard = yard;
    this.repository = new SignedFolder(folder, { release: yard.kernel.release, buildId: yard.buildId }, FLEET);
  }

  /** One more state, with one more of the test livepatches. */
  add(name: string, replace = false): void {
    this.repository.add({ name, bytes: this.#yard.module(name), counter: this.repository.livepatches.length + 1, replace });
    this.publish();
  }

  publish(): void {
    this.repository.publish();
    this.keep();
  }

  /** What the repository says now is one more state. @returns its number, for {@link AgentGuest.see} */
  keep(): number {
    const content = readFileSync(join(this.repository.folder, "metadata/timestamp.json"));
    return this.#timestamps.push({ path: `/srv/${this.#timestamps.length + 1}`, content });
  }

  files(): GuestFile[] {
    const { folder } = this.repository;
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => statSync(join(folder, path)).isFile());
    return [
      ...files.map((path) => ({ path: `/srv/repository/${path}`, content: readFileSync(join(folder, path)) })),
      ...this.#timestamps,
      { path: "/etc/suture/root.json", content: readFileSync(join(folder, "metadata/1.root.json")) },
      { path: "/etc/machine-id", content: Buffer.from("0123456789abcdef0123456789abcdef\n") },
    ];
  }
}

export class AgentGuest {
  readonly guest: Guest;

  private constructor(guest: Guest) {
    this.guest = guest;
  }

  /** @param disk which becomes the store */
  static async boot(yard: Yard, states: States, disk: string, n: number): Promise<AgentGuest> {
    const booted = new AgentGuest(await yard.boot({ disk, files: states.files(), deadlineMs: BOOT_MS }));
    await booted.configure();
    await booted.see(n);
    await booted.sh("ifconfig lo 127.0.0.1 up && httpd -p 127.0.0.1:8080 -h /srv/repository");
    return booted;
  }

  async configure(more: object = {}): Promise<void> {
    await this.guest.put("/etc/suture/agent.json", Buffer.from(JSON.stringify({ ...CONFIGURATION, ...more })));
  }

  /** From now on the repository is in that state, from 1 on. */
  async see(n: number): Promise<void> {
    await this.sh(`cp /srv/${n} /srv/repository/metadata/timestamp.json`);
  }

  async sh(command: string): Promise<string> {
    return (await this.guest.run(command, { timeoutMs: 120_000 })).output.trim();
  }

  /** @param before words in front of the command */
  agent(what: string, before = ""): Promise<Answer> {
    return suture(this.guest, `agent ${what}`, 300_000, before);
  }

  suture(line: string): Promise<Answer> {
    return suture(this.guest, line, 300_000);
  }

  stop(): Promise<void> {
    return this.guest.stop();
  }
}

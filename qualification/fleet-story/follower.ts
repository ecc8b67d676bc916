/** A machine of the fleet: its agent came by package, and follows the server. */
import { readFileSync } from "node:fs";
import type { Transcript } from "../follow/transcript.ts";
import type { SystemMachine } from "../power-cuts/system-machine.ts";
import { FLEET } from "./server.ts";

/** This machine, as a virtual one sees it. */
const HERE = "10.0.2.2";
const PATIENCE_MS = 900_000;
/** A machine's run ends before its report does. */
const REPORTED =
  "while systemctl is-active -q suture-agent-report || systemctl is-active suture-agent-report | grep -q activating; do sleep 1; done";

export class Follower {
  readonly name: string;
  readonly machine: SystemMachine;
  readonly #transcript: Transcript;
  readonly #labels: readonly string[];

  constructor(name: string, machine: SystemMachine, transcript: Transcript, labels: readonly string[]) {
    this.name = name;
    this.machine = machine;
    this.#transcript = transcript;
    this.#labels = labels;
  }

  get isCanary(): boolean {
    return this.#labels.includes("canary");
  }

  async type(command: string): Promise<string> {
    const { output } = await this.machine.guest.run(command, { timeoutMs: PATIENCE_MS });
    this.#transcript.add(`${this.name}#`, command, output.trim());
    return output.trim();
  }

  /** @param root the repository's first root, a file. @param token by which it enrols. @param port of this machine's, that leads to the server */
  async enrol({ root, token, port }: { root: string; token: string; port: number }): Promise<void> {
    const guest = await this.machine.boot();
    await this.type(`hostnamectl hostname ${this.name} || { echo ${this.name} >/etc/hostname; hostname ${this.name}; }`);
    const configuration = {
      "suture-agent": 1,
      repositories: [`http://${HERE}:${port}/patches/`],
      server: { url: `http://${HERE}:${port}/` },
      fleet: FLEET,
      labels: this.#labels,
      probes: [{ name: "version", run: "grep -q ^Linux /proc/version", seconds: 600 }],
      soakSeconds: 5,
    };
    await guest.put("/etc/suture/root.json", readFileSync(root));
    await guest.put("/etc/suture/agent.json", Buffer.from(`${JSON.stringify(configuration, undefined, 1)}\n`));
    await guest.put("/etc/suture/fleet-token", Buffer.from(`${token}\n`));
    await this.type("chown suture-agent /etc/suture/fleet-token; chmod 600 /etc/suture/fleet-token; cat /etc/suture/agent.json; uname -r");
    await this.type("systemctl enable suture-agent.timer");
    await this.run();
  }

  /** As its timer does it. */
  async run(): Promise<string> {
    await this.type(`systemctl start suture-agent.service; echo ended with $?; sleep 1; ${REPORTED}`);
    return this.type("journalctl --no-pager --output=cat -u suture-agent-fetch -u suture-agent -u suture-agent-report -n 30 | tail -25");
  }

  /** Somebody is let in before all of its units are done. */
  async reboot(): Promise<void> {
    await this.machine.reboot();
    await this.type("systemctl is-system-running --wait");
  }

  async close(): Promise<void> {
    await this.machine.close();
  }
}

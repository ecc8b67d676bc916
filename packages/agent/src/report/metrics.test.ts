import type { AgentRun } from "@suture/protocol";
import { expect, test } from "vitest";
import { KERNEL, LINE, soaking } from "../../test/truths.ts";
import { metricsText } from "./metrics.ts";

const RUN: AgentRun = {
  at: "2026-06-10T12:00:00.000Z",
  kernel: KERNEL,
  fleet: "prod",
  channel: "stable",
  why: "",
  done: [{ what: "soak", name: "fix_2", outcome: "failed", code: "AGENT_PROBE", why: "" }],
  warnings: [],
  repository: {
    reached: "2026-06-10T11:59:00.000Z",
    problem: undefined,
    roles: [{ role: "root", version: 1, expires: "2027-01-01T00:00:00Z", state: "good" }],
  },
  livepatches: [{ path: "a", sha256: "", counter: 7, rollout: undefined, obstacle: "window", why: "" }],
  present: [{ name: 'a"b\\c\n', sha256: undefined, inEffect: false, kept: true }],
  rebootWanted: ["fix_1"],
  soak: null,
  counters: { [LINE]: 6, "other kernel": 9 },
  accepted: [],
  refused: [],
};

test("each metric with its help and type; labels are quoted as Prometheus wants them", () => {
  const text = metricsText(RUN, false);
  const values = text.split("\n").filter((line) => !line.startsWith("#") && line !== "");
  expect(values).toEqual([
    "suture_agent_run_seconds 1781092800",
    "suture_agent_reached_seconds 1781092740",
    "suture_agent_repository_believed 1",
    'suture_agent_role_expires_seconds{role="root"} 1798761600',
    "suture_agent_steps_failed 1",
    "suture_agent_counter_accepted 6",
    "suture_agent_counter_newest 7",
    'suture_agent_livepatch{name="a\\"b\\\\c\\n",sha256="",kept="true"} 0',
    "suture_agent_soaking 0",
    "suture_agent_refused 0",
    "suture_agent_hold 0",
    "suture_agent_reboot_wanted 1",
  ]);
  for (const line of values) {
    const [name] = line.split(/[{ ]/);
    expect(text).toContain(`# TYPE ${name} gauge\n`);
  }
});

test("what is not known has no value, and what goes wrong shows", () => {
  const text = metricsText({ ...RUN, repository: { problem: { code: "TRUST_FETCH", why: "" }, roles: [] }, soak: soaking(1) }, true);
  expect(text).toMatch(/^suture_agent_repository_believed 0$/m);
  expect(text).toMatch(/^suture_agent_soaking 1$/m);
  expect(text).toMatch(/^suture_agent_hold 1$/m);
  expect(text).not.toMatch(/reached_seconds|role_expires/);
});

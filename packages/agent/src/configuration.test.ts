import { expect, test } from "vitest";
import { change, following } from "../test/machine.ts";
import { readConfiguration } from "./configuration.ts";

test("what is not given is as docs/agent.md says", async () => {
  expect(await following().configured()).toMatchObject({
    channel: "stable",
    labels: [],
    windows: [],
    probes: [],
    soakSeconds: 900,
    transitionSeconds: 60,
    freshSeconds: 600,
    settleSeconds: 300,
    root: "/etc/suture/root.json",
    user: "suture-agent",
  });
  const windows = [{ from: "23:00", to: "04:00", zone: "Europe/Berlin" }];
  expect(await following().configured({ windows, probes: [{ name: "web", run: "true" }] })).toMatchObject({
    windows: [{ days: [], zone: "Europe/Berlin" }],
    probes: [{ seconds: 30 }],
  });
});

test.each<[string, object, string]>([
  ["a word that is not known", { probe: [] }, "probe"],
  ["a word that is not known, in a probe", { probes: [{ name: "web", command: "true", run: "true" }] }, "probes.0.command"],
  ["no repository", { repositories: [] }, "repositories"],
  ["an address of another kind", { repositories: ["ftp://host/"] }, "repositories.0"],
  ["a time that there is not", { windows: [{ from: "24:00", to: "01:00" }] }, "windows.0.from"],
  ["a zone that there is not", { windows: [{ from: "23:00", to: "01:00", zone: "Europe/Nowhere" }] }, "windows.0.zone"],
  ["a day that there is not", { windows: [{ days: ["someday"], from: "23:00", to: "01:00" }] }, "windows.0.days.0"],
  [
    "two probes of one name",
    {
      probes: [
        { name: "a", run: "true" },
        { name: "a", run: "false" },
      ],
    },
    "two probes",
  ],
  ["a probe whose name is a path", { probes: [{ name: "../a", run: "true" }] }, "probes.0.name"],
  ["another version", { "suture-agent": 2 }, "suture-agent"],
])("%s is refused, and named", async (_, words, named) => {
  await expect(following().configured(words)).rejects.toMatchObject({
    code: "AGENT_CONFIGURATION",
    message: expect.stringContaining(named),
  });
});

test("one that is not there, or no JSON, is refused", async () => {
  const { machine } = following();
  await expect(readConfiguration(machine)).rejects.toMatchObject({ code: "AGENT_CONFIGURATION", message: "it is not there" });
  change(machine, "/etc/suture/agent.json", "{");
  await expect(readConfiguration(machine)).rejects.toMatchObject({
    code: "AGENT_CONFIGURATION",
    message: expect.stringContaining("no JSON"),
  });
});

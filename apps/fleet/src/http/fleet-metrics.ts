/** What Prometheus reads of the fleet: counted when it asks. */
import { Gauge, type Registry } from "prom-client";
import type { Sql } from "../database/sql.ts";
import type { Counts } from "../hosts/counts.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { Rested } from "../rested.ts";
import type { Steering } from "../steering/steering.ts";

export function fleetMetrics(
  registers: Registry[],
  sql: Sql,
  knowledge: Knowledge,
  counts: Rested<Counts>,
  steering: Steering | undefined,
): void {
  // Whoever asks as often as the limits let him costs no more than these.
  const outcomes = new Rested(
    () => sql<{ rollout: string; outcome: string; n: number }>`
      select h.rollout, h.outcome, count(*)::integer as n from rollout_host h join rollout r on r.id = h.rollout
      where r.phase in ('rolling', 'paused', 'held') group by h.rollout, h.outcome`,
  );
  const deliveries = new Rested(
    () => sql<{ state: string; n: number }>`select state, count(*)::integer as n from webhook_delivery group by state`,
  );
  const gauge = <T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
    collect: (set: (labels: Record<T, string>, value: number) => void) => Promise<void>,
  ): void => {
    new Gauge({
      name: `suture_fleet_${name}`,
      help,
      labelNames: [...labelNames],
      registers,
      async collect() {
        this.reset();
        await collect((labels, value) => this.set(labels, value));
      },
    });
  };
  gauge("hosts", "Approved machines, by how they are.", ["status"], async (set) => {
    for (const [status, n] of Object.entries((await counts.now()).statuses)) set({ status }, n);
  });
  gauge("hosts_waiting", "Machines that wait for approval.", [], async (set) => set({}, (await counts.now()).pending));
  gauge("level_hosts", "Machines by kernel and effective level.", ["release", "level"], async (set) => {
    const sums = new Map<string, { labels: { release: string; level: string }; n: number }>();
    for (const { release, level, machines } of await knowledge.kernels()) {
      const labels = { release, level: level ?? "unknown" };
      const key = JSON.stringify(labels);
      sums.set(key, { labels, n: (sums.get(key)?.n ?? 0) + machines });
    }
    for (const { labels, n } of sums.values()) set(labels, n);
  });
  gauge("cves", "CVEs by whether a machine is open to them.", ["standing"], async (set) => {
    const cves = await knowledge.cves();
    set({ standing: "open" }, cves.filter(({ open }) => open > 0).length);
    set({ standing: "unknown" }, cves.filter(({ open, unknown }) => open === 0 && unknown > 0).length);
    set({ standing: "closed" }, cves.filter(({ open, unknown, closed }) => open === 0 && unknown === 0 && closed > 0).length);
  });
  gauge("hosts_open", "Machines that are open to a CVE at least.", [], async (set) =>
    set(
      {},
      (await knowledge.kernels()).reduce((sum, { open, machines }) => sum + (open > 0 ? machines : 0), 0),
    ),
  );
  gauge("hosts_reboot_wanted", "Machines that a reboot would help, by why.", ["why"], async (set) => {
    for (const why of ["left out", "withdrawn", "not covered"] as const)
      set(
        { why },
        (await knowledge.kernels()).reduce(
          (sum, { reboot, machines }) => sum + (reboot.some(({ code }) => code === why) ? machines : 0),
          0,
        ),
      );
  });
  gauge("rollouts", "Roll-outs by phase.", ["phase"], async (set) => {
    for (const { phase, n } of await sql<{ phase: string; n: number }>`select phase, count(*)::integer as n from rollout group by phase`)
      set({ phase }, n);
  });
  gauge("rollout_hosts", "Machines of roll-outs that are on, by what became of them.", ["rollout", "outcome"], async (set) => {
    const rows = await outcomes.now();
    for (const { rollout, outcome, n } of rows) set({ rollout, outcome }, n);
  });
  gauge("builds", "Livepatches that are to be built, are, or were.", ["state"], async (set) => {
    for (const { state, n } of await sql<{ state: string; n: number }>`select state, count(*)::integer as n from build group by state`)
      set({ state }, n);
  });
  gauge("builders", "Builders that were heard of within ten minutes.", [], async (set) => {
    const [row] = await sql<{ n: number }>`select count(*)::integer as n from builder where seen_at > now() - interval '10 minutes'`;
    set({}, row?.n ?? 0);
  });
  gauge("webhook_deliveries", "What webhooks were told, are to be, or could not be.", ["state"], async (set) => {
    for (const { state, n } of await deliveries.now()) set({ state }, n);
  });
  gauge("role_expires_seconds", "When the repository's metadata expire, seconds since 1970.", ["role"], async (set) => {
    for (const { role, expires } of (await steering?.status())?.roles ?? [])
      if (expires !== undefined) set({ role }, new Date(expires).getTime() / 1000);
  });
}

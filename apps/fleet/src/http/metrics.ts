/** What Prometheus reads. */

import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { Sql } from "../database/sql.ts";
import type { Counts } from "../hosts/counts.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import type { Rested } from "../rested.ts";
import type { Steering } from "../steering/steering.ts";
import { fleetMetrics } from "./fleet-metrics.ts";

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Histogram({
    name: "suture_fleet_request_seconds",
    help: "How long requests took, by route.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10],
    registers: [this.registry],
  });
  readonly #faults = new Counter({
    name: "suture_fleet_faults_total",
    help: "Answers with a fault of the server.",
    registers: [this.registry],
  });

  constructor(sql: Sql, knowledge: Knowledge, counts: Rested<Counts>, steering: Steering | undefined) {
    collectDefaultMetrics({ register: this.registry });
    fleetMetrics([this.registry], sql, knowledge, counts, steering);
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
    if (status >= 500 && status !== 503) this.#faults.inc();
  }
}

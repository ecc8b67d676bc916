/** What is kept for lines: by count, whatever the clock says. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Served } from "../../test/served.ts";
import { sweepSamples } from "./samples.ts";

let served: Served;
beforeAll(async () => {
  served = await Served.open();
});
afterAll(() => served.fleet.close());

const count = async (): Promise<number> =>
  (await served.fleet.database.sql<{ n: number }>`select count(distinct at)::integer as n from level_sample`)[0]?.n ?? 0;

test("of hours the newest 2160 are kept; what a clock that was ahead wrote goes, and a clock that is behind takes nothing away", async () => {
  const { sql } = served.fleet.database;
  await sql`insert into level_sample select now() - make_interval(hours => h), 'level', 1 from generate_series(1, 2200) h`;
  await sweepSamples(sql);
  expect(await count()).toBe(2160);
  await sql`insert into level_sample select now() + interval '1 year' + make_interval(hours => h), 'level', 1 from generate_series(1, 5) h`;
  await sweepSamples(sql);
  expect(await count()).toBe(2155);
  await sql`update level_sample set at = at + interval '1 year'`;
  await sweepSamples(sql);
  expect(await count()).toBe(2155);
});

/** A database that was restored from a back-up knows nothing of what was held, withdrawn or begun since: nothing goes on by itself. */
import { randomBytes } from "node:crypto";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import type { Steering } from "../steering/steering.ts";
import { change } from "./lock.ts";
import type { RolloutRow } from "./row.ts";

const ITSELF = "the server";
const WHY = "another database had the policy published last: this one was restored from a back-up";

/** Beside the repository and in the database, before a policy is published: where they differ, the database is not the one that had it published. */
export async function mark(sql: Sql, steering: Steering): Promise<void> {
  const next = randomBytes(16).toString("hex");
  const now = (await steering.mark()) ?? null;
  await sql`
    insert into steering (mark, previous) values (${next}, ${now})
    on conflict (one) do update set mark = excluded.mark, previous = excluded.previous`;
  await steering.setMark(next);
}

/** All that rolls is held, also what only the policy has; nothing is approved any more. */
export async function holdIfRestored(sql: Sql, steering: Steering, now: Date): Promise<void> {
  const [known] = await sql<{ mark: string | null; previous: string | null }>`select mark, previous from steering`;
  const out = (await steering.mark()) ?? null;
  if (known === undefined ? out === null : out === known.mark || out === known.previous) return;
  const { rollouts } = await steering.policy();
  const here = new Set((await sql<{ id: string }>`select id from rollout`).map(({ id }) => id));
  // Before the database says that it knows: who dies in between does it again.
  for (const { id, state } of rollouts)
    if (!here.has(id) && (state === "rolling" || state === "done")) await steering.put({ id, state: "held" }, now);
  await sql.begin(async (within) => {
    const rows = await within<RolloutRow>`select * from rollout where phase <> 'withdrawn' order by id for update`;
    for (const { id, phase } of rows) {
      const isWithdrawn = rollouts.some((one) => one.id === id && one.state === "withdrawn");
      if (isWithdrawn) await change(within, ITSELF, "roll-out withdrawn", { id, phase: "withdrawn", why: WHY });
      else if (phase === "approved") await change(within, ITSELF, "approvals void", { id, phase: "draft", why: WHY });
      else if (phase !== "draft") await change(within, ITSELF, "roll-out held", { id, phase: "held", why: WHY });
    }
    await within`delete from rollout_approval`;
    await within`delete from session`;
    await within`insert into steering (mark) values (${out}) on conflict (one) do update set mark = excluded.mark`;
    await audit(within, { who: ITSELF, what: "database restored", about: "", detail: {} });
  });
}

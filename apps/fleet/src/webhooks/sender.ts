/** Each webhook is told by itself: one that hangs keeps no other waiting. */
import type { Sql } from "../database/sql.ts";
import type { Addresses } from "./address.ts";
import { deliver, dueWebhooks } from "./deliver.ts";

export class Sender {
  readonly #sql: Sql;
  readonly #addresses: Addresses;
  /** @param error of one that cannot be told now */
  readonly #failed: (error: unknown) => void;
  readonly #busy = new Map<string, Promise<void>>();
  #ended = false;

  constructor(sql: Sql, addresses: Addresses, failed: (error: unknown) => void) {
    this.#sql = sql;
    this.#addresses = addresses;
    this.#failed = failed;
  }

  /** Begins with those that are not being told; does not wait for them. */
  async look(): Promise<void> {
    for (const id of await dueWebhooks(this.#sql))
      if (!this.#ended && !this.#busy.has(id))
        this.#busy.set(
          id,
          this.#tell(id)
            .catch(this.#failed)
            .finally(() => this.#busy.delete(id)),
        );
  }

  async #tell(id: string): Promise<void> {
    while (!this.#ended && (await deliver(this.#sql, this.#addresses, id)) > 0);
  }

  /** When what is being sent is sent. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.idle();
  }

  async idle(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }
}

/**
 * SQL as it is written, with its values apart: sql`select ... where a = ${a}`. A piece of SQL may be a value of another; it runs when it is awaited.
 */
import pg from "pg";

/** What came of it. */
export type Rows<R> = R[] & { count: number };

type Values = readonly unknown[];
type Runner = (text: string, values: unknown[]) => Promise<{ rows: unknown[]; rowCount: number | null }>;

/** Of an object: its names and values, as an insert takes them. */
class Columns {
  readonly of: Readonly<Record<string, unknown>>;

  constructor(of: Readonly<Record<string, unknown>>) {
    this.of = of;
  }
}

export class Statement<R> implements PromiseLike<Rows<R>> {
  readonly #strings: readonly string[];
  readonly #values: Values;
  readonly #run: Runner;

  constructor(run: Runner, strings: readonly string[], values: Values) {
    this.#run = run;
    this.#strings = strings;
    this.#values = values;
  }

  /** @param into values so far */
  #text(into: unknown[]): string {
    let text = this.#strings[0] ?? "";
    const parameter = (value: unknown): string => `$${into.push(value)}`;
    this.#values.forEach((value, i) => {
      if (value instanceof Statement) text += value.#text(into);
      else if (value instanceof Columns) {
        const names = Object.keys(value.of).map((name) => pg.escapeIdentifier(name));
        text += `(${names.join(", ")}) values (${Object.values(value.of).map(parameter).join(", ")})`;
      } else text += parameter(value);
      text += this.#strings[i + 1] ?? "";
    });
    return text;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is awaited, or is a piece of another one
  then<A = Rows<R>, B = never>(
    done?: ((rows: Rows<R>) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const values: unknown[] = [];
    const text = this.#text(values);
    return this.#run(text, values)
      .then(({ rows, rowCount }) => Object.defineProperty(rows, "count", { value: rowCount ?? 0 }) as Rows<R>)
      .then(done, failed);
  }

  catch<B>(failed: (reason: unknown) => B | PromiseLike<B>): Promise<Rows<R> | B> {
    return this.then(undefined, failed);
  }
}

/** Within a transaction, or for a statement of its own. */
export interface Within {
  <R = Record<string, unknown>>(strings: TemplateStringsArray, ...values: Values): Statement<R>;
  columns(of: Readonly<Record<string, unknown>>): Columns;
  /** Several statements at once, without values. */
  script(text: string): Promise<void>;
}

export interface Sql extends Within {
  /** All of it, or nothing. */
  begin<T>(work: (within: Within) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

function within(run: Runner): Within {
  const tag = <R>(strings: TemplateStringsArray, ...values: Values): Statement<R> => new Statement<R>(run, strings, values);
  return Object.assign(tag, {
    columns: (of: Readonly<Record<string, unknown>>) => new Columns(of),
    script: async (text: string) => {
      await run(text, []);
    },
  });
}

/** Nothing that somebody asks for may take longer. */
const LONGEST_MS = 60_000;

/** Counters and sums: below 2^53 all of them. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as "text"),
};

export function connect(config: pg.PoolConfig): Sql {
  const pool = new pg.Pool({ types, max: 10, connectionTimeoutMillis: 30_000, keepAlive: true, statement_timeout: LONGEST_MS, ...config });
  // A connection that idles may go; who needs one is given another.
  pool.on("error", () => {});
  const simple = (text: string, values: unknown[]): [string] | [string, unknown[]] => (values.length === 0 ? [text] : [text, values]);
  const alone = within((text, values) => pool.query(...(simple(text, values) as [string, unknown[]])));
  return Object.assign(alone, {
    async begin<T>(work: (within: Within) => Promise<T>): Promise<T> {
      const client = await pool.connect();
      let broken: Error | undefined;
      const note = (error: Error): void => {
        broken = error;
      };
      client.on("error", note);
      try {
        await client.query("begin");
        const done = await work(within((text, values) => client.query(...(simple(text, values) as [string, unknown[]]))));
        await client.query("commit");
        return done;
      } catch (error) {
        await client.query("rollback").catch(note);
        throw error;
      } finally {
        client.off("error", note);
        client.release(broken);
      }
    },
    end: () => pool.end(),
  });
}

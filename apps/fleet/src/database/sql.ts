import type postgres from "postgres";

export type Sql = postgres.Sql<{ bigint: number }>;
/** Within a transaction. */
export type Within = postgres.TransactionSql<{ bigint: number }>;

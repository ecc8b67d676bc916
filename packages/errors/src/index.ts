/**
 * What a refusal is. Every error that a person may see has a code, the place, what was found, and what to do.
 * Each package describes its codes once, in a table (`src/errors.ts`); docs/errors.md is held against those tables by a test.
 */

/** The place that an error is about. `offset` is in bytes: in the file, or in `section`/`symbol` when one is given. */
export interface Where {
  file?: string | undefined;
  section?: string | undefined;
  symbol?: string | undefined;
  offset?: number | undefined;
}

/** One row of docs/errors.md. */
export interface ErrorKind {
  /** When it happens. */
  cause: string;
  /** What the user can do. The default for errors of this code. */
  mend: string;
}

export interface SutureErrorJson {
  code: string;
  why: string;
  where: Where;
  mend: string;
  /** What else was refused at the same time. */
  others?: SutureErrorJson[];
}

export class SutureError extends Error {
  readonly code: string;
  readonly where: Where;
  /** What the user can do about it. */
  readonly mend: string;
  /** What else was refused at the same time. */
  readonly others: readonly SutureError[];

  constructor(code: string, why: string, where: Where, mend: string, cause?: unknown, others: readonly SutureError[] = []) {
    // Frames of a stack hold what their functions see, whole builds among it, for as long as the error is kept; where it is, `where` says.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(why, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = limit;
    this.name = "SutureError";
    this.code = code;
    this.where = where;
    this.mend = mend;
    this.others = others;
  }

  /** The same, with what else was refused. */
  with(others: readonly SutureError[]): SutureError {
    const all = [...this.others, ...others.flatMap((other) => other.all)];
    return new SutureError(this.code, this.message, this.where, this.mend, this.cause, all);
  }

  /** It and its others, each by itself. */
  get all(): SutureError[] {
    if (this.others.length === 0) return [this];
    return [new SutureError(this.code, this.message, this.where, this.mend, this.cause), ...this.others];
  }

  toJSON(): SutureErrorJson {
    const others = this.others.map((other) => other.toJSON());
    return { code: this.code, why: this.message, where: this.where, mend: this.mend, ...(others.length === 0 ? {} : { others }) };
  }
}

export interface Details {
  /** Replaces the mend of the table where more is known. */
  mend?: string;
  cause?: unknown;
}

/** The codes of one package and the function that makes its errors: `throw fail("ELF_TRUNCATED", "…", { file, offset })`. */
export interface ErrorTable<C extends string> {
  kinds: Readonly<Record<C, ErrorKind>>;
  fail(code: C, why: string, where?: Where, details?: Details): SutureError;
}

export function defineErrors<C extends string>(kinds: Record<C, ErrorKind>): ErrorTable<C> {
  return {
    kinds,
    fail: (code, why, where = {}, details = {}) => new SutureError(code, why, where, details.mend ?? kinds[code].mend, details.cause),
  };
}

/** `file: section .text, symbol foo + 0x12`, or an empty string. */
export function placeText(where: Where): string {
  const inner = [
    where.section === undefined ? undefined : `section ${where.section}`,
    where.symbol === undefined ? undefined : `symbol ${where.symbol}`,
    where.offset === undefined ? undefined : `offset 0x${where.offset.toString(16)}`,
  ].filter((part) => part !== undefined);
  const place = inner.join(", ");
  if (where.file === undefined) return place;
  return place === "" ? where.file : `${where.file}: ${place}`;
}

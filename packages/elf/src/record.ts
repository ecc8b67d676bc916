/**
 * A binary record described once, as a table of fields in file order. The table makes a cursor: an object whose properties read and write
 * the record at `at` of a view, in the view's byte order.
 */
import type { ByteView } from "./view.ts";

export type FieldType = "u8" | "u16" | "u24" | "u32" | "i32" | "i64";
export type Fields = Readonly<Record<string, FieldType>>;

const width: Record<FieldType, number> = { u8: 1, u16: 2, u24: 3, u32: 4, i32: 4, i64: 8 };

export type Cursor<K extends string> = { view: ByteView; at: number } & { -readonly [name in K]: number };

/** @typeParam K names of the fields */
export interface RecordType<K extends string> {
  /** Bytes. */
  size: number;
  /** Byte offset of each field in the record. */
  offsets: Readonly<Record<K, number>>;
  cursor(view: ByteView, at?: number): Cursor<K>;
}

const get: Record<FieldType, (view: ByteView, at: number) => number> = {
  u8: (view, at) => view.u8(at),
  u16: (view, at) => view.u16(at),
  u24: (view, at) => view.u24(at),
  u32: (view, at) => view.u32(at),
  i32: (view, at) => view.i32(at),
  i64: (view, at) => view.i64(at),
};

const set: Record<FieldType, (view: ByteView, at: number, value: number) => void> = {
  u8: (view, at, value) => view.setU8(at, value),
  u16: (view, at, value) => view.setU16(at, value),
  u24: (view, at, value) => view.setU24(at, value),
  u32: (view, at, value) => view.setU32(at, value),
  i32: (view, at, value) => view.setU32(at, value),
  i64: (view, at, value) => view.setI64(at, value),
};

export function defineRecord<F extends Fields>(fields: F): RecordType<Extract<keyof F, string>> {
  type K = Extract<keyof F, string>;
  class FieldCursor {
    view: ByteView;
    at: number;
    constructor(view: ByteView, at: number) {
      this.view = view;
      this.at = at;
    }
  }
  const offsets: Record<string, number> = {};
  let size = 0;
  for (const [name, type] of Object.entries(fields)) {
    const offset = size;
    const read = get[type];
    const write = set[type];
    offsets[name] = offset;
    Object.defineProperty(FieldCursor.prototype, name, {
      get(this: FieldCursor) {
        return read(this.view, this.at + offset);
      },
      set(this: FieldCursor, value: number) {
        write(this.view, this.at + offset, value);
      },
    });
    size += width[type];
  }
  return {
    size,
    offsets: offsets as Record<K, number>,
    cursor: (view, at = 0) => new FieldCursor(view, at) as unknown as Cursor<K>,
  };
}

/**
 * A binary record described once, as a table of fields in file order. The table makes a cursor: an object whose properties read and write
 * the record at `at` of a DataView. Little-endian. 64-bit fields are signed Numbers: exact within 2^53, which holds for offsets, sizes and
 * for kernel addresses (the top 2 GiB are small negative numbers); the reader refuses others.
 */

export type FieldType = "u8" | "u16" | "u32" | "i32" | "i64";
export type Fields = Readonly<Record<string, FieldType>>;

const width: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, i32: 4, i64: 8 };

export type Cursor<F extends Fields> = { view: DataView; at: number } & { -readonly [K in keyof F]: number };

export interface RecordType<F extends Fields> {
  /** Bytes. */
  size: number;
  /** Byte offset of each field in the record. */
  offsets: Readonly<Record<keyof F, number>>;
  cursor(view: DataView, at?: number): Cursor<F>;
}

const get: Record<FieldType, (view: DataView, at: number) => number> = {
  u8: (view, at) => view.getUint8(at),
  u16: (view, at) => view.getUint16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i32: (view, at) => view.getInt32(at, true),
  i64: (view, at) => view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x100000000,
};

const set: Record<FieldType, (view: DataView, at: number, value: number) => void> = {
  u8: (view, at, value) => view.setUint8(at, value),
  u16: (view, at, value) => view.setUint16(at, value, true),
  u32: (view, at, value) => view.setUint32(at, value, true),
  i32: (view, at, value) => view.setInt32(at, value, true),
  i64: (view, at, value) => {
    view.setUint32(at, value >>> 0, true);
    view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  },
};

export function defineRecord<F extends Fields>(fields: F): RecordType<F> {
  class FieldCursor {
    view: DataView;
    at: number;
    constructor(view: DataView, at: number) {
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
    offsets: offsets as Record<keyof F, number>,
    cursor: (view, at = 0) => new FieldCursor(view, at) as unknown as Cursor<F>,
  };
}

/** A DataView over exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

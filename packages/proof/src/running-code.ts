/**
 * What an object is held against: the kernel's image or a module's file, by address. An image's are the distances from its base, a module's are made up
 * (elf-running-code.ts).
 */
import type { SpecialTable } from "@suture/arch";
import type { ByteOrder, ByteView, ElfSymbol } from "@suture/elf";
import type { Anchor, Place } from "./model.ts";

/** A part of the ground. */
export interface Stretch {
  address: number;
  bytes: Uint8Array;
}

/** A field that the linker or loader changes. Fields are alike if their tags are. */
export interface Field {
  address: number;
  tag: string;
}

export interface RunningCode {
  /** In words: "the kernel", "the module NAME". */
  readonly name: string;
  readonly order: ByteOrder;
  /** Bytes that lie inside of one section; zeros for NOBITS. */
  read(address: number, length: number): Uint8Array | undefined;
  /** The same where the linker puts strings and constants: nothing writes there. @param init of code that only runs at the start or end */
  constant(address: number, length: number, init: boolean): Uint8Array | undefined;
  /** What the field at the address refers to (S + A); undefined if it is no such field. @param view of bytes that hold the field at `at` */
  refersTo(view: ByteView, at: number, type: number, address: number): number | undefined;
  /** Fields with start <= address < end, by address. */
  fields(start: number, end: number): readonly Field[];
  /** How a field of that type that refers to S must be listed; undefined if it must not. @param missing an undefined weak symbol that nothing defines */
  tag(type: number, target: number, missing: boolean): string | undefined;
  /** Addresses of all symbols of that name. */
  named(name: string): readonly number[];
  /** Addresses of the global and weak symbols of that name, defined or (in a module) not. */
  globals(name: string): readonly number[];
  /** The special table, and the one beside it; undefined if the kernel has none. */
  table(kind: SpecialTable): { entries: Stretch; beside: Stretch | undefined } | undefined;
  /** For reports: the address, or section and offset. */
  show(address: number): string;
  /** What S is where a reference is to a plain number. */
  number(value: number): number;
  /** The address as code there counts from it. */
  linkedAt(address: number): number;
  /** The section that holds the address, and the address as it is reported. */
  locate(address: number): { section: string; address: number } | undefined;
  /** How the livepatch core names the symbol at the address. */
  place(symbol: ElfSymbol, address: number): Place | undefined;
  /** How the livepatch core finds read-only data at the address that has no symbol; undefined where it cannot. */
  anchor(address: number): Anchor | undefined;
  /** What is at the address, in words: for functions that override weak ones. */
  describe(address: number): string;
}

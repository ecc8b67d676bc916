import type { ByteView, RelocationKind } from "@suture/elf";

/** Kinds of fields that the boot code changes when it moves the kernel: absolute ones of 4 and 8 bytes, and distances to what does not move. */
export type Relocated = "abs32" | "inverse32" | "abs64";

/** How objects of the processor refer to places. */
export interface Relocations {
  /** Undefined for a type that the kernel's objects do not use. */
  kind(type: number): RelocationKind | undefined;
  /** Whether the field holds a distance from itself. */
  isPcRelative(type: number): boolean;
  /** A whole address. */
  pointer: number;
  /** The distance of a data operand. */
  distance: number;
  /** The distance of a branch. */
  branch: number;
  /** Whether the type is one of a distance of the branches' size; all of these mean the same in an object. */
  isNear(type: number): boolean;
  /** Those that the kernel's module loader applies. */
  loadable: ReadonlySet<number>;
  /** Bytes of a field that the loader fills in; undefined for a type that it does not. */
  fieldSize(type: number): number | undefined;
  /** What a linked field holds, S + A; undefined if it is no address that a kernel can have. */
  linkedValue(view: ByteView, at: number, type: number, place: number): number | undefined;
  /** How the kernel's list of relocated fields must treat a field, by what it refers to. */
  relocatedAs(type: number, perCpu: boolean): Relocated | undefined;
}

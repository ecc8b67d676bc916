/** A branch on a static key, as it stands in a function. Bytes from the function's start. */
export interface KeyBranch {
  at: number;
  /** Of the reference to the key in the table of branches: low bits say how the branch is made. */
  key: { addend: number; target: number };
  /** Where the branch goes: bytes from the start of what it goes to, and whether that is the function itself. */
  target: { target: number; inside: boolean };
}

/** A field of rewritten code and what it refers to, as its relocation says it. */
export interface Field {
  at: number;
  type: number;
  addend: number;
  target: number;
}

/** How a branch reads its key. */
export interface KeyRead {
  site: number;
  /** Where the code behind the function's end starts. */
  at: number;
  key: Field;
  /** Undefined where the branch goes to the function itself. */
  target: Field | undefined;
}

/** Text of a header of the kernel that is written otherwise, so that what is compiled with it leaves room. */
export interface Room {
  /** From the tree's root. */
  header: string;
  from: RegExp;
  to: string;
  /** What it does, for people. */
  note: string;
}

export interface Rewrite {
  /** Where there is no room in the kernel's own code: how it may be compiled. Undefined: it cannot. */
  room: { key: Room | undefined; constant: Room | undefined };
  /** Whether there is room to read the key in place of the branch. */
  canReadKey(code: Uint8Array, at: number): boolean;
  /** The function with branches that read their keys; `sites` are the fields in it that are gone. */
  readKeys(code: Uint8Array, branches: readonly KeyBranch[]): { bytes: Uint8Array; reads: KeyRead[]; gone: ReadonlySet<number> };
  /** Whether there is room to read a variable in place of the constant that `section` lists. */
  canReadConstant(code: Uint8Array, at: number, section: string): boolean;
  /** The variable that a constant of the section comes from. */
  constantVariable(section: string): string;
  /** The field that refers to the variable then. */
  constantField(at: number): Field;
  readConstants(code: Uint8Array, places: readonly number[]): Uint8Array;
}

/** What a command gives back: one document for `--json`, or the same as text. */
import type { Document } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { Command } from "commander";

export interface Answer {
  document: Document;
  text: string;
  /** 0 unless given. */
  code?: 0 | 1 | 3;
}

/** Adds a command to the program. `run` makes the action: it gives the work a task, and prints the answer or the refusal. */
export type AddCommand = (program: Command, run: Run) => void;

/** Several answers, each printed as it comes: a document a line, or the text in place of the last one on a terminal. */
export type Answers = AsyncIterable<Answer>;

export type Run = <A extends unknown[]>(work: (task: Task, ...args: A) => Promise<Answer | Answers>) => (...args: A) => Promise<void>;

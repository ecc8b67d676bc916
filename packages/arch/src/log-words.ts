/** What a kernel's log says in words that only one processor's kernels have. */
export interface LogWords {
  /** First lines of reports, by what they report. They fit no line that every kernel may print. */
  headlines: readonly (readonly ["oops" | "warning", RegExp])[];
  /** How further lines of a report begin: registers, and what the processor says of a fault. */
  within: readonly RegExp[];
}

export { type BootOptions, boot } from "./boot.ts";
export { type CpioEntry, writeCpio } from "./cpio.ts";
export { labErrors } from "./errors.ts";
export type { Guest, RunOptions, RunResult } from "./guest.ts";
export type { GuestFile } from "./initramfs.ts";
export { EVENT_KINDS, type EventKind, findEvents, type KernelEvent } from "./kernel-events.ts";
export { type KernelLine, lineText, parseLine } from "./kernel-log.ts";
export type { Accelerator, Disk } from "./machine.ts";
export { type KernelModuleFile, loadOrder } from "./modules.ts";
export { type Probes, readProbes } from "./probes-file.ts";
export { programFiles } from "./programs.ts";
export { decodeTaint, type Taint } from "./taint.ts";
export { trial, tryModule } from "./trial.ts";
export type {
  Blocker,
  Check,
  Command,
  JudgedReport,
  ModuleOrder,
  Outcome,
  PatchedFunction,
  ProbeReport,
  ProbeResult,
  StepName,
  StepReport,
  TrialOptions,
  TrialReport,
} from "./trial-report.ts";

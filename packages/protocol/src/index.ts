export {
  type Account,
  type AccountSummary,
  accountSchema,
  type CveAccount,
  FIX_STATES,
  type FixAccount,
  type FixState,
  type StateCounts,
} from "./account.ts";
export {
  type AgentConfiguration,
  type AgentMemory,
  agentConfigurationSchema,
  agentMemorySchema,
  type HealthMark,
  lineOf,
  type Probe,
  type Refused,
  type Soak,
} from "./agent.ts";
export { CALLBACKS, type CallbackKind } from "./callbacks.ts";
export {
  type CatchUpReport,
  type CatchUpSummary,
  catchUpReportSchema,
  type ReleaseUnit,
  UNIT_STATES,
  type UnitReason,
  type UnitState,
  writeReport,
} from "./catch-up.ts";
export {
  type AgentFetch,
  type AgentRetry,
  type AgentRun,
  type AgentStatus,
  agentFetchDocument,
  agentProbeDocument,
  agentRetryDocument,
  agentRunDocument,
  agentStatusDocument,
  type ProbeFound,
} from "./documents/agent.ts";
export {
  accountDocument,
  buildDocument,
  catchUpDocument,
  decisionsDocument,
  diffDocument,
  extractDocument,
  inspectDocument,
  kernelsDocument,
  proveDocument,
  reviewDocument,
  signDocument,
} from "./documents/building.ts";
export { completionDocument, errorDocument } from "./documents/common.ts";
export type { Document } from "./documents/document.ts";
export { DOCUMENTS } from "./documents/index.ts";
export {
  repoAddDocument,
  repoExportDocument,
  repoHoldersDocument,
  repoKeyDocument,
  repoMirrorDocument,
  repoPolicyDocument,
  repoPublishDocument,
  repoSignDocument,
  repoStagedDocument,
  repoStatusDocument,
  repoTakeDocument,
  repoWithdrawDocument,
} from "./documents/repository.ts";
export {
  type BootReport,
  bootDocument,
  doctorDocument,
  type Effective,
  type EnableReport,
  enableDocument,
  endDocument,
  type Finding,
  type ForceReport,
  forceDocument,
  type Installed,
  type InstallReport,
  installDocument,
  type LeaveReport,
  type ListReport,
  type LoadReport,
  leaveDocument,
  listDocument,
  loadDocument,
  loadSeveralDocument,
  type PatchStatus,
  type SignalReport,
  type Status,
  type Straggler,
  settledDocument,
  signalDocument,
  statusDocument,
  type TidyReport,
  type Transition,
  tidyDocument,
  type UninstallReport,
  uninstallDocument,
  unloadSeveralDocument,
} from "./documents/running.ts";
export {
  type Accelerator,
  type After,
  type Blocker,
  EVENT_KINDS,
  type EventKind,
  type JudgedReport,
  type KernelEvent,
  type KernelLine,
  type ModuleOrder,
  type Outcome,
  type PatchedFunction,
  type ProbeReport,
  type ProbeResult,
  type StepName,
  type StepReport,
  type Taint,
  type TargetModule,
  type TrialReport,
  tryDocument,
  type WorkloadReport,
} from "./documents/trial.ts";
export {
  type FleetRole,
  fleetAuditSchema,
  fleetKeyIdSchema,
  fleetKeySchema,
  fleetKeysSchema,
  newFleetKeySchema,
  ROLES,
} from "./fleet/people.ts";
export { type DraftManifest, type Made, type Manifest, manifestSchema, writeManifest } from "./manifest.ts";
export { instant } from "./repository/parts.ts";
export { type PatchTargetCustom, patchTargetSchema } from "./repository/patch-target.ts";
export { type Policy, policySchema, ROLLOUT_STATES, type Rollout, WEEKDAYS, type Window } from "./repository/policy.ts";
export { WITHDRAWAL_ACTIONS, type Withdrawal, type Withdrawals, withdrawalsSchema } from "./repository/withdrawals.ts";
export { type LoadRecord, loadRecordSchema, type Marker, markerSchema, type StoreEntry, storeEntrySchema } from "./store.ts";
export { type TargetDescription, type TargetInput, targetInputSchema, targetSchema } from "./target.ts";

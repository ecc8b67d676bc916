/** Every kind of JSON document that the program prints. */
import { agentFetchDocument, agentProbeDocument, agentRetryDocument, agentRunDocument, agentStatusDocument } from "./agent.ts";
import {
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
} from "./building.ts";
import { completionDocument, errorDocument } from "./common.ts";
import type { DocumentKind } from "./document.ts";
import {
  bootDocument,
  doctorDocument,
  enableDocument,
  endDocument,
  forceDocument,
  installDocument,
  leaveDocument,
  listDocument,
  loadDocument,
  loadSeveralDocument,
  settledDocument,
  signalDocument,
  statusDocument,
  uninstallDocument,
  unloadSeveralDocument,
} from "./running.ts";
import { tryDocument } from "./trial.ts";

const KINDS = [
  errorDocument,
  kernelsDocument,
  buildDocument,
  catchUpDocument,
  accountDocument,
  decisionsDocument,
  extractDocument,
  proveDocument,
  tryDocument,
  diffDocument,
  inspectDocument,
  reviewDocument,
  signDocument,
  loadDocument,
  loadSeveralDocument,
  leaveDocument,
  unloadSeveralDocument,
  enableDocument,
  signalDocument,
  forceDocument,
  installDocument,
  uninstallDocument,
  bootDocument,
  settledDocument,
  endDocument,
  listDocument,
  statusDocument,
  doctorDocument,
  agentRunDocument,
  agentFetchDocument,
  agentStatusDocument,
  agentProbeDocument,
  agentRetryDocument,
  completionDocument,
];

export const DOCUMENTS: ReadonlyMap<string, Pick<DocumentKind, "id" | "description" | "schema">> = new Map(
  KINDS.map((kind) => [kind.id, kind as unknown as DocumentKind]),
);

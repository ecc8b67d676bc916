/** Documents of the commands for the machine that runs. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";
import { markerSchema } from "../store.ts";
import { documentKind, type Said } from "./document.ts";
import { buildId, finding, fixes, flag, number, release, sha256, straggler, text, texts, transition } from "./parts.ts";

const marker = v.strictObject(markerSchema.entries);

const kept = v.strictObject({
  suture: v.literal(1),
  release,
  name: text,
  sha256,
  buildId: maybe(buildId),
  order: said(number, "boot loads them in this order"),
  fixes,
  unproven: said(flag, "it may be loaded although it is not proven to fit"),
  stack: said(flag, "it may be loaded over another that replaces the same function"),
  quarantine: maybe(said(text, "why it is not loaded any more")),
  unsettled: maybe(said(marker, "it is being loaded, or was loaded a short time ago")),
});

const load = {
  name: text,
  checks: said(
    v.array(v.strictObject({ what: text, found: text, outcome: v.picklist(["good", "unknown"]) })),
    "what was looked at before it was loaded",
  ),
  transition,
  replaced: said(texts, "livepatches that it replaced"),
  log: said(texts, "what the kernel said"),
};

export const loadDocument = documentKind("load", 1, "`suture load`, `suture replace`: a livepatch that was loaded.", load);

export const loadSeveralDocument = documentKind("load-several", 1, "`suture load` of several: the livepatches that were loaded.", {
  loaded: said(v.array(v.strictObject(load)), "in the order of loading"),
});

export const enableDocument = documentKind("enable", 1, "`suture enable`: a livepatch that is in effect again.", {
  name: text,
  transition,
});

const leave = {
  name: text,
  transition: maybe(said(transition, "absent if it had no effect any more")),
  removed: said(flag, "its module is out of the kernel"),
};

export const leaveDocument = documentKind("leave", 1, "`suture disable`, `suture unload`: a livepatch that was taken out.", leave);

export const unloadSeveralDocument = documentKind(
  "unload-several",
  1,
  "`suture unload` of several or of all: the livepatches that were taken out.",
  { unloaded: said(v.array(v.strictObject(leave)), "those on top of the stack first") },
);

export const signalDocument = documentKind("signal", 1, "`suture signal`: tasks that hold up a transition were nudged.", {
  name: text,
  how: said(
    v.picklist(["kernel", "attribute", "stop"]),
    "kernel: it does so by itself; attribute: it was told to; stop: the processes were stopped and continued",
  ),
  signalled: number,
  ended: said(flag, "the transition has ended"),
  stragglers: v.array(straggler),
});

export const forceDocument = documentKind("force", 1, "`suture force`: a transition that was forced.", {
  name: text,
  ended: said(flag, "the transition has ended"),
  forced: said(v.array(straggler), "the tasks that it was forced past"),
});

export const installDocument = documentKind("install", 1, "`suture install`: a livepatch that is kept.", {
  ...kept.entries,
  units: said(flag, "systemd loads it at boot"),
});

export const uninstallDocument = documentKind("uninstall", 1, "`suture uninstall`: a livepatch that is kept no more.", {
  name: text,
  release,
});

export const tidyDocument = documentKind("tidy", 1, "`suture tidy`: livepatches of kernels that are gone, kept no more.", {
  dropped: v.array(v.strictObject({ release, name: text })),
  kept: said(v.array(v.strictObject({ release, name: text, why: text })), "those that were looked at and stay"),
  unreadable: said(texts, "what of the store cannot be read"),
});

export const bootDocument = documentKind("boot", 1, "`suture boot`: what is kept for this kernel was loaded.", {
  release,
  off: said(flag, "suture=off was given to the kernel"),
  patches: v.array(
    v.strictObject({
      name: text,
      outcome: v.picklist(["loaded", "loaded already", "quarantined", "for another build", "failed"]),
      why: text,
    }),
  ),
  others: said(number, "kept for other kernels"),
  unreadable: said(texts, "what of the store cannot be read: nobody knows what should have been loaded"),
});

export const settledDocument = documentKind("settled", 1, "`suture boot --settled`: what was loaded long enough ago is to be trusted.", {
  left: said(texts, "livepatches that are not settled yet"),
});

export const endDocument = documentKind("end", 1, "`suture boot --end`: the machine goes down in order.", { end: v.literal(true) });

export const listDocument = documentKind("list", 1, "`suture list`: the livepatches of this machine.", {
  livepatches: v.array(
    v.strictObject({
      name: text,
      release,
      state: said(text, "in effect, disabled, being patched, being unpatched, not loaded"),
      kept: said(v.picklist(["yes", "no", "quarantined"]), "whether it is loaded at boot"),
      fixes: text,
    }),
  ),
  unreadable: said(texts, "what of the store cannot be read: nobody knows what is kept there"),
});

export const statusDocument = documentKind(
  "status",
  1,
  "`suture status`: what the running kernel has beyond its version; with --watch one a line.",
  {
    kernel: v.strictObject({ release, buildId: maybe(buildId), bootId: text }),
    off: said(flag, "suture=off was given to the kernel"),
    taint: v.strictObject({ value: number, letters: text }),
    patches: said(
      v.array(
        v.strictObject({
          name: text,
          enabled: flag,
          transition: maybe(
            said(v.strictObject({ to: v.picklist(["patched", "unpatched"]), stragglers: v.array(straggler) }), "absent if there is none"),
          ),
          objects: v.array(
            v.strictObject({
              name: text,
              loaded: flag,
              patched: flag,
              functions: v.array(v.strictObject({ name: text, sympos: number, owner: said(text, "the livepatch whose code runs") })),
            }),
          ),
          sha256: maybe(sha256),
          proven: maybe(said(flag, "absent if it was not loaded by Suture")),
          fixes,
          damage: maybe(said(text, "what is damaged of what was noted when it was loaded")),
          redirects: maybe(
            said(
              v.array(
                v.strictObject({
                  object: text,
                  function: text,
                  in: said(flag, "false also while its module is not loaded, or somebody has disarmed the kernel's probes"),
                  missed: said(number, "calls that came to the old function meanwhile: those that handlers of probes made"),
                }),
              ),
              "functions that a probe of the kernel redirects; absent where there are none",
            ),
          ),
          live: maybe(
            said(
              v.array(v.strictObject({ object: text, variable: text, in: said(flag, "false also while its module is not loaded") })),
              "words of the kernel's variables that it changes where they stand; absent where it changes none",
            ),
          ),
        }),
      ),
      "in the order in which they were enabled, the last on top",
    ),
    idle: said(texts, "livepatch modules without effect"),
    fixes: said(
      v.array(v.strictObject({ patch: text, subject: maybe(text), cves: texts })),
      "what the livepatches that are in effect mend",
    ),
    effective: maybe(
      said(
        v.array(
          v.strictObject({
            patch: text,
            base: said(text, "the kernel that runs: its package's version, or its release"),
            target: said(text, "the newer release"),
            cves: said(number, "that the newer release fixes; none where the livepatch has no account of them"),
            closed: said(number, "those of them that are carried, or are not open in this kernel"),
            open: v.array(
              v.strictObject({
                id: text,
                state: v.picklist(["left out", "unknown"]),
                partly: said(flag, "some of its changes are carried"),
                owners: said(texts, "vmlinux and modules that have what was left out, as far as it is known"),
                loaded: maybe(said(flag, "one of them is in the kernel now; absent where none is known")),
              }),
            ),
          }),
        ),
        "of livepatches in effect that bring the kernel to the level of a newer release: how far",
      ),
    ),
    installed: said(v.array(kept), "kept for boot, for any kernel"),
    unreadable: said(texts, "what of the store cannot be read: nobody knows what is kept there"),
  },
);

export const doctorDocument = documentKind("doctor", 1, "`suture doctor`: what this machine can do with livepatches.", {
  findings: v.array(finding),
});

/** What the use-cases of packages/host come to. */
export type Straggler = v.InferOutput<typeof straggler>;
export type Transition = v.InferOutput<typeof transition>;
export type Finding = v.InferOutput<typeof finding>;
/** A livepatch that is kept. */
export type Installed = v.InferOutput<typeof kept>;
export type LoadReport = Said<typeof loadDocument>;
export type EnableReport = Said<typeof enableDocument>;
export type LeaveReport = Said<typeof leaveDocument>;
export type SignalReport = Said<typeof signalDocument>;
export type ForceReport = Said<typeof forceDocument>;
export type InstallReport = Said<typeof installDocument>;
export type UninstallReport = Said<typeof uninstallDocument>;
export type TidyReport = Said<typeof tidyDocument>;
export type BootReport = Said<typeof bootDocument>;
export type ListReport = Said<typeof listDocument>;
export type Status = Said<typeof statusDocument>;
export type PatchStatus = Status["patches"][number];
export type Effective = NonNullable<Status["effective"]>[number];

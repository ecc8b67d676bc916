import { defineErrors } from "@suture/errors";

export const hostErrors = defineErrors({
  HOST_NOT_ROOT: {
    cause: "The process may not load kernel modules: it lacks the capability CAP_SYS_MODULE.",
    mend: "Run it as root (sudo suture ...), not in an unprivileged container.",
  },
  HOST_NO_LIVEPATCH: {
    cause: "The running kernel has no livepatch core (/sys/kernel/livepatch is not there).",
    mend: "Boot a kernel with CONFIG_LIVEPATCH, as all of Debian's for amd64 are, and see that /sys is mounted.",
  },
  HOST_TOOL_MISSING: {
    cause: "A program that loads or removes modules, or that locks, is not installed.",
    mend: "apt-get install kmod util-linux",
  },
  HOST_MODULES_DISABLED: {
    cause:
      "kernel.modules_disabled is 1: the kernel takes no module in and lets none out until it is booted again. A livepatch that is disabled now could not be enabled again.",
    mend: "Reboot, and set it only after the livepatches are loaded. `echo 0 >/sys/kernel/livepatch/NAME/enabled` takes one out of effect until then, if it does harm.",
  },
  HOST_BUSY: {
    cause: "Another suture works on the livepatches of this machine.",
    mend: "Wait until it is done. A load that waits for its transition is turned back by ending it (kill -INT PID); `suture signal` nudges what holds it up.",
  },
  HOST_TRANSITION: {
    cause: "The kernel is in the middle of a transition to or from a livepatch; it does one at a time.",
    mend: "`suture status --watch` follows it; `suture signal`, `suture disable NAME` or `suture enable NAME` end it.",
  },
  HOST_BAD_MODULE: {
    cause: "The file is not a livepatch that may be loaded: no livepatch, damaged, or not what its manifest says.",
    mend: "Build it again, or copy it again from where it was built; `suture inspect` shows what is in it.",
  },
  HOST_OTHER_KERNEL: {
    cause: "The livepatch was built for another kernel than the one that runs. The kernel itself would not notice.",
    mend: "Build it for the running kernel.",
  },
  HOST_UNPROVEN: {
    cause: "Nothing shows that the livepatch fits the kernel: its originals were not proven, or Suture did not build it.",
    mend: "Build it with the proof, or give --unproven and bear the risk.",
  },
  HOST_UNSIGNED: {
    cause: "The kernel takes signed modules only (module.sig_enforce or lockdown), and the livepatch has no signature.",
    mend: "`suture sign X.ko --key KEY --cert CERT` with a key that the machine has (`suture doctor`); docs/operating.md#signed-modules.",
  },
  HOST_UNKNOWN_SIGNER: {
    cause: "The kernel takes modules of known signers only, and has not the key that the livepatch is signed with.",
    mend: "Enrol the certificate (`mokutil --import CERT.der`, and reboot), or sign with a key that is there; docs/operating.md#signed-modules.",
  },
  HOST_FTRACE_OFF: {
    cause: "ftrace is switched off, through which livepatches redirect functions.",
    mend: "sysctl kernel.ftrace_enabled=1",
  },
  HOST_OTHER_MODULE: {
    cause:
      "A module that the livepatch is for was built anew since: the one that is loaded is not the one that the livepatch was proven against.",
    mend: "Build the livepatch again, with the module's file as it is loaded now.",
  },
  HOST_FUNCTION_MISSING: {
    cause: "A function that the livepatch replaces is not in the running kernel, or not as often as it should be.",
    mend: "Build the livepatch for the running kernel.",
  },
  HOST_FUNCTION_HELD: {
    cause: "A function that the livepatch replaces is already held by another livepatch, a kprobe with a post-handler, or a tracer.",
    mend: "Unload the other livepatch or build one that holds both fixes; end the tracer or probe.",
  },
  HOST_ALREADY_LOADED: {
    cause: "A module of that name is in the kernel already, or another program loaded one in the same moment.",
    mend: "`suture status` shows it. `suture unload NAME` takes it out.",
  },
  HOST_REPLACES: {
    cause: "The livepatch replaces all others, and there are others: they would lose their effect.",
    mend: "`suture replace FILE` says that this is meant.",
  },
  HOST_STATES: {
    cause:
      "A loaded livepatch has changed the system in a way (a state) that the new one does not know, or knows an older version of: the kernel refuses it.",
    mend: "Build the new one upon the loaded one (suture build --upon), or with its states; or take the loaded one out first, if it undoes what it changed.",
  },
  HOST_NOT_REPLACING: {
    cause: "The livepatch was not built to replace others.",
    mend: "Build it with --replace, or use `suture load`.",
  },
  HOST_NOT_LOADED: {
    cause: "No livepatch of that name is in the kernel.",
    mend: "`suture list` shows those that are.",
  },
  HOST_REFUSED: {
    cause: "The kernel did not take the module, or did not do what was asked.",
    mend: "Read what the kernel said.",
  },
  HOST_LIVE_DATA: {
    cause: "The livepatch changes a value in the kernel's data, and another has changed it while the livepatch came in: it was left alone.",
    mend: "Find out who sets it, let it have the value that the kernel began with, and load the livepatch again: under another name, or after a reboot, if its module had to stay.",
  },
  HOST_REDIRECT: {
    cause: "The livepatch redirects a function by a probe of the kernel, and that probe is not armed: its calls come to the old function.",
    mend: "See whether somebody has disarmed all probes (`cat /sys/kernel/debug/kprobes/enabled`), arm them, and load the livepatch again: under another name, or after a reboot, if its module had to stay.",
  },
  HOST_STUCK: {
    cause: "A transition did not end in time: tasks sleep in, or never leave, a function that changes.",
    mend: "End or restart the tasks that are shown, and try again; or give --timeout more seconds.",
  },
  HOST_LEFT_IN_TRANSITION: {
    cause: "A transition ended neither forwards nor backwards in time, and is still under way.",
    mend: "End or restart the tasks that are shown: it ends by itself. `suture status --watch` follows it; `suture force` is the last resort.",
  },
  HOST_LEFT_IN_EFFECT: {
    cause: "A livepatch could not be taken out of effect, or put back into it: the kernel is busy with another transition, or refuses.",
    mend: "`suture status --watch` follows the other transition; when it has ended, `suture unload NAME`.",
  },
  HOST_IN_USE: {
    cause: "Something stands on the livepatch: a later livepatch of the same functions, a module that uses it, or a forced transition.",
    mend: "Unload what stands on it first. After a forced transition only a reboot takes it out.",
  },
  HOST_LEFT_BEHIND: {
    cause:
      "The livepatch's code gives addresses of functions or variables within its module to others. Whoever keeps one has a pointer to freed memory when the module is taken out.",
    mend: "`suture disable NAME` takes it out of effect and leaves the module where it is. `suture unload --left-behind NAME` if nothing keeps them.",
  },
  HOST_FORCE: {
    cause: "A transition was to be forced without saying that the risk is taken.",
    mend: "Give --accept-risk if a crash of this machine is the smaller evil.",
  },
  HOST_NOT_INSTALLED: {
    cause: "No livepatch of that name is kept for that kernel.",
    mend: "`suture list` shows those that are.",
  },
  HOST_STORE: {
    cause: "The store under /var/lib/suture could not be read or written, or what is in it is damaged.",
    mend: "Check the disk, and install the livepatch again.",
  },
  HOST_NO_GUARD: {
    cause:
      "The crash guard of an installed livepatch cannot be set before its load: the store is full or read-only, or /proc is not there. Unguarded, one that stops the machine would do so at each boot.",
    mend: "Free space in /var/lib/suture, or mount it to be written, and run `suture boot` or load it again.",
  },
  HOST_RUN_FOLDER: {
    cause: "/run/suture, where the lock and a copy of each loaded livepatch are, cannot be written: it is full, read-only or damaged.",
    mend: "Free space in /run (df -h /run; df -i /run), and try again.",
  },
});

export const fail = hostErrors.fail;

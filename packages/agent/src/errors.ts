import { defineErrors } from "@suture/errors";

export const agentErrors = defineErrors({
  AGENT_CONFIGURATION: {
    cause: "The agent's configuration is not there, or says something that the agent does not know.",
    mend: "Write /etc/suture/agent.json as docs/agent.md says.",
  },
  AGENT_MEMORY: {
    cause:
      "What the agent remembers from one run to the next cannot be read or written. Without it nothing is loaded: it may say that something must not be.",
    mend: "Check the disk of /var/lib/suture. If it is damaged, remove it: what is loaded and installed stays, and which livepatches failed here is then known no more.",
  },
  AGENT_FETCHED: {
    cause: "What was fetched cannot be kept, or cannot be read by the one who loads.",
    mend: "Check the disk of /var/lib/suture-agent, and that it belongs to the agent's user; it may be emptied at any time.",
  },
  AGENT_BUSY: {
    cause: "Another run of the agent is at work.",
    mend: "Wait until it is done: `suture agent status` shows what it did.",
  },
  AGENT_PROBE: {
    cause: "A probe of the configuration failed: the machine does not do its work.",
    mend: "Run it by hand (`suture agent probe NAME`). If it failed before anything was loaded, the livepatch is not to blame, and is loaded when the probe is well; if it failed in the soak, `suture agent retry NAME` takes the livepatch again.",
  },
  AGENT_TROUBLE: {
    cause:
      "The kernel reported trouble in a livepatch's soak: an oops, a warning, a lockup. Whether the livepatch is to blame is for people to find out.",
    mend: "Read the kernel's log, and tell who publishes the livepatches. `suture agent retry NAME` takes the livepatch again.",
  },
  AGENT_REBOOTED: {
    cause:
      "The machine went down with a livepatch that was being loaded or was in its soak: it is not kept, and not loaded again by itself.",
    mend: "Find out why it went down. `suture agent retry NAME` takes the livepatch again.",
  },
  AGENT_WITHDRAWN: {
    cause: "A livepatch was withdrawn while it was in its soak.",
    mend: "Nothing: it was taken out, and a newer one may come.",
  },
  AGENT_TAKEN_OUT: {
    cause: "A livepatch was taken out of effect, or replaced, by somebody else while it was in its soak: this machine does not want it.",
    mend: "`suture agent retry NAME` takes it again.",
  },
  AGENT_SERVER: {
    cause:
      "The fleet's server was not told how this machine is: it is not reached, refuses, or this machine has no token. Nothing else depends on it.",
    mend: "`suture agent report` tries it again. See that `server` of /etc/suture/agent.json, the token, and the machine's state on the server are right.",
  },
  AGENT_NOT_REFUSED: {
    cause: "No livepatch of that name was refused by this machine.",
    mend: "`suture agent status` shows those that were.",
  },
});

export const fail = agentErrors.fail;

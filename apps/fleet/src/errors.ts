import { defineErrors } from "@suture/errors";

export const fleetErrors = defineErrors({
  FLEET_USAGE: {
    cause: "The words given to suture-fleet do not go together, or a value is none.",
    mend: "`suture-fleet --help` lists them.",
  },
  FLEET_POSTGRES: {
    cause: "The server's own PostgreSQL cannot be made or started.",
    mend: "Install Debian's postgresql, see that the data folder can be entered by its user, or name another database in DATABASE_URL.",
  },
  FLEET_DATABASE: {
    cause: "The database does not answer. Nothing was acknowledged that it does not hold.",
    mend: "Try again: a private one is started anew by the server. See the server's log.",
  },
  FLEET_NEWER: {
    cause: "The database was written by a newer release of the server, or a migration is not the one that was run.",
    mend: "Run the release that wrote it, or restore a back-up of before.",
  },
  FLEET_REQUEST: {
    cause: "A request is not of the form that its route takes.",
    mend: "See /openapi.json of the server.",
  },
  FLEET_LOGIN: {
    cause: "Nobody is logged in, or the key is not known, has expired or was revoked.",
    mend: "Log in, or send `Authorization: Bearer KEY` with a key that `suture-fleet key NAME --role ROLE` or POST /v1/keys has made.",
  },
  FLEET_ROLE: {
    cause: "Who asks has no role that may do this.",
    mend: "Ask somebody who has the role that is named.",
  },
  FLEET_ENROL: {
    cause: "A machine may not come into the fleet: by its token, its key, or because it is in it already.",
    mend: "Make another token (POST /v1/enrol-tokens), or retire the machine's earlier enrolment.",
  },
  FLEET_BUSY: {
    cause: "The server has too much to do at the moment, or is asked too often.",
    mend: "Nothing: machines and programs ask again later.",
  },
  FLEET_STEERING: {
    cause:
      "The policy cannot be signed or published: the server was given no repository, or no keys that are enough. What was decided is kept.",
    mend: "Start it with --repository, --publish and --key, of a repository whose policy, snapshot and timestamp take these keys (docs/fleet.md).",
  },
  FLEET_STATE: {
    cause: "What is asked for does not follow from the state that it is in.",
    mend: "Look at its state again: somebody else may have changed it.",
  },
  FLEET_BUILD: {
    cause: "What is to be built cannot be, as far as builders know the archive; or what a builder has sent is not what was asked for.",
    mend: "`suture fleet builds` says of each kernel what keeps it; of what a builder sent, see its log, and who has its key.",
  },
  FLEET_ROOM: {
    cause: "There is no room on the disk for what is to be kept.",
    mend: "Make room: the builds that were signed, or are no good, lie in the folder `builds` of the repository.",
  },
  FLEET_FOLDER: {
    cause: "The folder of a relay or a builder is another process's at the moment.",
    mend: "End the one that runs (systemctl status suture-relay suture-builder), or give each a folder of its own (--data, --work).",
  },
  FLEET_BUILDER: {
    cause: "The builder cannot work: the server does not answer it or refuses it, the command suture is not there, or its disk is full.",
    mend: "See the reason; the key needs the role builder (`suture-fleet key NAME --role builder` on the server's machine).",
  },
  FLEET_RELAY: {
    cause: "The relay of a site cannot reach the fleet's server, and what is asked is for the server to say.",
    mend: "Nothing: machines ask again. See the relay's log, and that the server answers it.",
  },
  FLEET_NONE: {
    cause: "There is nothing of that name here.",
    mend: "List what there is, and use its id.",
  },
});

export const fail = fleetErrors.fail;

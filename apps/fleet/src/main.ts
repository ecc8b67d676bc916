/** suture-fleet: the server, and what is done on its machine by who may read its data. */
import { mkdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { placeText, SutureError } from "@suture/errors";
import { newAccountSchema } from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import { openKeyFile, type Signer } from "@suture/trust";
import { pino } from "pino";
import * as v from "valibot";
import { BuilderClient } from "./builds/worker/client.ts";
import { work } from "./builds/worker/worker.ts";
import { fail } from "./errors.ts";
import { Fleet, VERSION } from "./fleet.ts";
import { Relay } from "./relay/relay.ts";
import type { Repository } from "./steering/steering.ts";
import { accounts, changeAccount, newAccount } from "./users/accounts.ts";
import { newApiKey } from "./users/api-keys.ts";
import { readOidc } from "./users/oidc/configuration.ts";
import { ROLES, type Role } from "./users/roles.ts";

const HELP = `suture-fleet: the server of a fleet of machines that follow a signed repository

  suture-fleet serve [--data FOLDER] [--listen ADDRESS:PORT] [--repository FOLDER --publish FOLDER --key FILE...]
                     [--trial-channel NAME...] [--webhook-network ADDRESS/BITS...] [--oidc FILE]
  suture-fleet account NAME --role ROLE... [--data FOLDER]  a person is invited, who sets a password and a second factor; of one that is there it is set anew
  suture-fleet key NAME --role ROLE... [--data FOLDER]      a key by which a program asks; shown once
  suture-fleet relay --server ADDRESS [--upstream ADDRESS] [--data FOLDER] [--listen ADDRESS:PORT]
                                                            for a site: keeps what machines report until the server has it
  suture-fleet builder --server ADDRESS --key-file FILE --work FOLDER [--suture COMMAND] [--once]
                                                            builds what the server asks for, here or on another machine

--data     all that the server keeps; /var/lib/suture-fleet unless given
--listen   127.0.0.1:8780 unless given: put a web server with TLS in front of it
--repository   the signed repository's folder, as of \`suture repo init\`; --publish is the one from which it is served
--key      of policy, snapshot and timestamp: files of \`suture repo key new\`; the passphrase is the first line of the file that SUTURE_PASSPHRASE_FILE names
--trial-channel   what rolls out in it is no production: one person approves it, and it need not be proven; may be given more than once
--oidc     the provider of OpenID Connect by which people may log in: docs/fleet.md says what is in the file
--webhook-network   of your own, to which what happens may be told without TLS or to addresses that are not public; may be given more than once
--upstream of a relay: the signed repository's address, whose files it keeps and serves below /repository/
--server   of a relay or a builder: https://..., the fleet's server; --key-file has on its first line a key with the role builder
--work     of a builder: a folder for what is being built
--suture   of a builder: the command, \`suture\` unless given; --once: until there is nothing to build
--role     ${ROLES.join(", ")}; may be given more than once

DATABASE_URL names a PostgreSQL (postgres://...); without it the server keeps one of its own in the data folder.
SUTURE_FLEET_LOG is the level of the log: info unless given.
`;

const OPTIONS = {
  data: { type: "string", default: "/var/lib/suture-fleet" },
  listen: { type: "string", default: "127.0.0.1:8780" },
  repository: { type: "string" },
  publish: { type: "string" },
  key: { type: "string", multiple: true, default: [] as string[] },
  "trial-channel": { type: "string", multiple: true, default: [] as string[] },
  oidc: { type: "string" },
  "webhook-network": { type: "string", multiple: true, default: [] as string[] },
  role: { type: "string", multiple: true, default: [] as string[] },
  server: { type: "string" },
  upstream: { type: "string" },
  "key-file": { type: "string" },
  work: { type: "string" },
  suture: { type: "string", default: "suture" },
  once: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
  version: { type: "boolean", default: false },
} as const;

const SERVER = "the server's machine";

interface Words {
  data: string;
  listen: string;
  "trial-channel": string[];
  "webhook-network": string[];
  oidc?: string | undefined;
  role: string[];
  repository?: string | undefined;
  publish?: string | undefined;
  key: string[];
  server?: string | undefined;
  upstream?: string | undefined;
  "key-file"?: string | undefined;
  work?: string | undefined;
  suture: string;
  once: boolean;
  help: boolean;
  version: boolean;
}

const controller = new AbortController();
const task = new Task(silentReporter, controller.signal);
const log = pino({ level: process.env.SUTURE_FLEET_LOG ?? "info" }, pino.destination({ dest: 2, sync: true }));

function wordsOf(): {
  values: Words;
  positionals: string[];
} {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    throw fail("FLEET_USAGE", cause instanceof Error ? cause.message : String(cause), {}, { cause });
  }
}

/** @throws FLEET_USAGE, TRUST_KEY */
async function repositoryOf({ repository, publish, key: files }: Words): Promise<Repository | undefined> {
  if (repository === undefined && publish === undefined && files.length === 0) return undefined;
  if (repository === undefined || publish === undefined || files.length === 0)
    throw fail("FLEET_USAGE", "--repository, --publish and --key go together");
  const passphrase = async (): Promise<string> => {
    const file = process.env.SUTURE_PASSPHRASE_FILE;
    if (file === undefined) throw fail("FLEET_USAGE", "SUTURE_PASSPHRASE_FILE names no file");
    return (await readFile(file, "utf8")).split("\n")[0] ?? "";
  };
  const signers: Signer[] = [];
  for (const file of files) signers.push(await openKeyFile(task, resolve(file), passphrase));
  return { folder: resolve(repository), out: resolve(publish), signers };
}

async function opened(
  { data, "trial-channel": trialChannels, "webhook-network": webhookNetworks, oidc }: Words,
  repository?: Repository,
): Promise<Fleet> {
  const folder = resolve(data);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  return Fleet.open(
    task,
    {
      data: folder,
      databaseUrl: process.env.DATABASE_URL,
      repository,
      trialChannels,
      webhookNetworks,
      oidc: oidc === undefined ? undefined : await readOidc(resolve(oidc)),
    },
    log,
  );
}

/** @throws FLEET_USAGE */
function listenOf({ listen }: Words): { host: string; port: number } {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === "") throw fail("FLEET_USAGE", `--listen ${listen} is no ADDRESS:PORT`);
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

const ended = (): Promise<void> =>
  new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });

/** @throws FLEET_USAGE */
function addressOf(name: string, address: string | undefined): string {
  if (address === undefined || !/^https?:/.test(address) || !URL.canParse(address))
    throw fail("FLEET_USAGE", `--${name} takes an address that begins with https://`);
  return address;
}

async function relay(values: Words): Promise<void> {
  const listen = listenOf(values);
  const { upstream } = values;
  const options = {
    data: resolve(values.data),
    server: addressOf("server", values.server),
    upstream: upstream === undefined ? undefined : addressOf("upstream", upstream),
  };
  const one = await Relay.open(options, log);
  const end = ended();
  await one.server.listen(listen);
  await end;
  await one.close();
}

async function serve(values: Words): Promise<void> {
  const listen = listenOf(values);
  const fleet = await opened(values, await repositoryOf(values));
  fleet.steer();
  const end = ended();
  await fleet.server.listen(listen);
  await end;
  log.info("the server ends");
  await fleet.close();
}

function rolesIn({ role: given }: Words): Role[] {
  const roles = given.map((role) => {
    const found = ROLES.find((each) => each === role);
    if (found === undefined) throw fail("FLEET_USAGE", `there is no role ${role}`);
    return found;
  });
  if (roles.length === 0) throw fail("FLEET_USAGE", "a role is needed (--role)");
  return roles;
}

async function account(values: Words, name: string | undefined): Promise<void> {
  const checked = v.safeParse(newAccountSchema, { name, roles: rolesIn(values) });
  if (!checked.success) throw fail("FLEET_USAGE", `${name ?? "no name"}: ${checked.issues[0].message}`);
  const fleet = await opened(values);
  try {
    const { sql } = fleet.database;
    const isThere = (await accounts(sql)).some((one) => one.name === name);
    const { roles } = checked.output;
    const made = isThere
      ? await changeAccount(sql, SERVER, checked.output.name, { roles, invite: true, disabled: false })
      : await newAccount(sql, SERVER, checked.output);
    process.stdout.write(`${made.invitation}\n`);
  } finally {
    await fleet.close();
  }
}

async function key(values: Words, name: string | undefined): Promise<void> {
  if (name === undefined) throw fail("FLEET_USAGE", "a key has a name");
  const roles = rolesIn(values);
  const fleet = await opened(values);
  try {
    const made = await newApiKey(fleet.database.sql, SERVER, { name, roles });
    process.stdout.write(`${made.key}\n`);
  } finally {
    await fleet.close();
  }
}

/** Ended, it gives back what it has. */
async function builder({ server, "key-file": keyFile, work: folder, suture, once }: Words): Promise<void> {
  if (keyFile === undefined || folder === undefined) throw fail("FLEET_USAGE", "a builder takes --server, --key-file and --work");
  const address = addressOf("server", server);
  const secret = (await readFile(keyFile, "utf8")).split("\n")[0]?.trim() ?? "";
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
  await work(task, { client: new BuilderClient(address, secret), suture: [suture], folder: resolve(folder), once }, log);
}

try {
  const { values, positionals } = wordsOf();
  const [word, ...rest] = positionals;
  if (values.version) process.stdout.write(`${VERSION}\n`);
  else if (values.help) process.stdout.write(HELP);
  else if (word === "serve" && rest.length === 0) await serve(values);
  else if (word === "account" && rest.length <= 1) await account(values, rest[0]);
  else if (word === "relay" && rest.length === 0) await relay(values);
  else if (word === "builder" && rest.length === 0) await builder(values);
  else if (word === "key" && rest.length <= 1) await key(values, rest[0]);
  else throw fail("FLEET_USAGE", word === undefined ? "nothing was asked for" : `there is no ${positionals.join(" ")}`);
} catch (error) {
  if (!(error instanceof SutureError)) throw error;
  const place = placeText(error.where);
  process.stderr.write(`error ${error.code}: ${error.message}\n${place === "" ? "" : `  at: ${place}\n`}  do: ${error.mend}\n`);
  process.exitCode = 1;
}

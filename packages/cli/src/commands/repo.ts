/** The signed repository that machines follow, as its people make it. */
import {
  type Rollout,
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
  WEEKDAYS,
  WITHDRAWAL_ACTIONS,
  type Window,
  type Withdrawal,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import type { Holders, KeyRole, Mirrored, RolloutChange, SignedRole, Signer } from "@suture/trust";
import { type Command, Option } from "commander";
import type { AddCommand, Answer, Run } from "../answer.ts";
import { fail } from "../errors.ts";
import { askPassphrase, passphraseIn } from "../passphrase.ts";
import { countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

type Add = (repo: Command, run: Run) => void;

/** Loaded where it is needed: it brings the libraries. */
const trust = (): Promise<typeof import("@suture/trust")> => import("@suture/trust");

const ROLES: readonly KeyRole[] = ["root", "patches", "policy", "withdrawal", "snapshot", "timestamp"];
const ALL_ROLES: readonly SignedRole[] = ["root", "targets", ...ROLES.slice(1)] as SignedRole[];

const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
const list = (flags: string, description: string): Option => new Option(flags, description).argParser(repeated).default([], "none");
const passphraseFile = (): Option =>
  new Option("--passphrase-file <file>", "its first line is the passphrase; asked for on the terminal unless given");
/** From the file that is named here or in the environment, or from the terminal. @throws CLI_USAGE, CLI_FILE */
async function passphraseOf(file: string | undefined, key: string, again = false): Promise<string> {
  const named = file ?? process.env.SUTURE_PASSPHRASE_FILE;
  if (named !== undefined) return passphraseIn(named);
  const found = await askPassphrase(`passphrase of ${key}: `);
  if (found === undefined)
    throw fail(
      "CLI_USAGE",
      `the passphrase of ${key} is needed`,
      {},
      { mend: "Type it at a terminal, or name a file: --passphrase-file, or SUTURE_PASSPHRASE_FILE." },
    );
  if (again && (await askPassphrase("the same again: ")) !== found) throw fail("CLI_USAGE", "the two passphrases differ");
  return found;
}

const FOLDER = "the folder that `suture repo init` made";

export const repoCommand: AddCommand = (program, run) => {
  const repo = program.command("repo").description("a signed repository of livepatches that machines follow: made, signed, published");
  for (const add of [init, key, add_, sign, policy, withdraw, renew, publish, mirror, carry, status]) add(repo, run);
};

const stagedText = (staged: readonly string[]): string => fieldsText([["to be signed", staged.join(", ") || "nothing"]]);

/** `root=2:ada.pub,bob.pub` */
async function holdersIn(words: readonly string[]): Promise<Partial<Record<KeyRole, Holders>>> {
  const { readPublicKey } = await trust();
  const found: Partial<Record<KeyRole, Holders>> = {};
  for (const word of words) {
    const [, role, threshold, files] = /^(\w+)=(\d+):(.+)$/.exec(word) ?? [];
    const known = ROLES.find((each) => each === role);
    if (known === undefined || files === undefined)
      throw fail(
        "CLI_USAGE",
        `"${word}" does not say who holds a role`,
        {},
        { mend: `Write ROLE=COUNT:FILE.pub,FILE.pub; roles are ${ROLES.join(", ")}.` },
      );
    found[known] = { threshold: Number(threshold), keys: await Promise.all(files.split(",").map(readPublicKey)) };
  }
  return found;
}

const init: Add = (repo, run) => {
  repo
    .command("init")
    .description("begins a repository: who holds which role")
    .argument("<folder>", "where it is made; it does not exist yet")
    .requiredOption("--fleet <name>", "whose it is: machines hold it for ever")
    .addOption(list("--holders <holders>", "ROLE=COUNT:FILE.pub,... for each role: so many of these keys sign it"))
    .addOption(list("--days <count>", "ROLE=COUNT: so long what a role signs is good"))
    .action(
      run(async (_task, folder: string, options: { fleet: string; holders: string[]; days: string[] }) => {
        const { initRepository } = await trust();
        const holders = await holdersIn(options.holders);
        const missing = ROLES.filter((role) => holders[role] === undefined);
        if (missing.length > 0) throw fail("CLI_USAGE", `nobody holds ${missing.join(", ")}: --holders is needed for each role`);
        const days = Object.fromEntries(
          options.days.map((word) => {
            const [role = "", count = ""] = word.split("=");
            if (!(ALL_ROLES as readonly string[]).includes(role) || !/^[1-9]\d{0,4}$/.test(count))
              throw fail("CLI_USAGE", `"${word}" is not ROLE=COUNT`);
            return [role, Number(count)];
          }),
        );
        const work = await initRepository(folder, {
          fleet: options.fleet,
          holders: holders as Record<KeyRole, Holders>,
          days,
          now: new Date(),
        });
        const staged = await work.stagedRoles();
        return { document: repoStagedDocument.of({ folder, staged }), text: safeText(stagedText(staged)) };
      }),
    );
};

const key: Add = (repo, run) => {
  repo
    .command("key")
    .description("new: makes a key, FILE.key and FILE.pub; list: who holds which role; rotate: other keys for some roles")
    .addArgument(repo.createArgument("<what>", "what is done").choices(["new", "list", "rotate"]))
    .argument("<file>", "new: the key's files, without their ending; list, rotate: the folder of the repository")
    .option("--pkcs11 <address>", "new: a key of P-256 that is in a token already (RFC 7512); it is used through openssl")
    .addOption(list("--holders <holders>", "rotate: ROLE=COUNT:FILE.pub,... as they are from now on"))
    .addOption(passphraseFile())
    .action(
      run(
        async (
          task,
          what: string,
          file: string,
          options: { pkcs11?: string; holders: string[]; passphraseFile?: string },
        ): Promise<Answer> => {
          const { newKeyFile, newTokenFile, holdersOf, rotateKeys, Work } = await trust();
          if (what === "new") {
            const made =
              options.pkcs11 === undefined
                ? await newKeyFile(task, file, () => passphraseOf(options.passphraseFile, file, true))
                : await newTokenFile(task, file, { suture: 1, pkcs11: options.pkcs11 });
            return {
              document: repoKeyDocument.of({ name: made.name, id: made.id, file: `${file}.key`, publicFile: `${file}.pub` }),
              text: safeText(
                fieldsText([
                  ["private, to be kept", `${file}.key`],
                  ["public, to be given", `${file}.pub`],
                  ["id", made.id],
                ]),
              ),
            };
          }
          if (what === "rotate") {
            if (options.holders.length === 0) throw fail("CLI_USAGE", "whose keys change? --holders ROLE=COUNT:FILE.pub,...");
            const staged = await rotateKeys(task, file, await holdersIn(options.holders), new Date());
            return { document: repoStagedDocument.of({ folder: file, staged }), text: safeText(stagedText(staged)) };
          }
          const holders = await holdersOf(await Work.open(file));
          const roles = ROLES.map((role) => ({
            role,
            threshold: holders[role].threshold,
            keys: holders[role].keys.map(({ name, id }) => ({ name, id })),
          }));
          return {
            document: repoHoldersDocument.of({ roles }),
            text: safeText(
              tableText(
                ["role", "takes", "of", "id"],
                roles.flatMap(({ role, threshold, keys }) =>
                  keys.map(({ name, id }, i) => [i === 0 ? role : "", i === 0 ? String(threshold) : "", name, id]),
                ),
              ),
            ),
          };
        },
      ),
    );
};

const add_: Add = (repo, run) => {
  repo
    .command("add")
    .description("adds livepatches, each as the next release of its kernel line")
    .argument("<folder>", FOLDER)
    .argument("<module...>", ".ko files that Suture built")
    .option("--account <file>", "what `suture account --json` or `suture catch-up --json` printed of it")
    .option("--review <file>", "the page that `suture review` wrote of it")
    .option("--retire <counter>", "releases of the line up to this one go out of the list")
    .option("--unproven", "also one that is not proven to fit")
    .action(
      run(
        async (
          task,
          folder: string,
          modules: string[],
          options: { account?: string; review?: string; retire?: string; unproven?: boolean },
        ) => {
          const { addLivepatch } = await trust();
          if (modules.length > 1 && (options.account !== undefined || options.review !== undefined))
            throw fail("CLI_USAGE", "an account and a page are of one livepatch: add it by itself");
          if (options.retire !== undefined && !/^\d{1,9}$/.test(options.retire))
            throw fail("CLI_USAGE", `--retire ${options.retire} is no counter`);
          const added = [];
          for (const file of modules)
            added.push(
              await addLivepatch(task, folder, file, {
                account: options.account,
                review: options.review,
                unproven: options.unproven,
                retire: options.retire === undefined ? undefined : Number(options.retire),
                now: new Date(),
              }),
            );
          const staged = added.at(-1)?.staged ?? [];
          return {
            document: repoAddDocument.of({ added: added.map(({ path, sha256, custom }) => ({ path, sha256, custom })), staged }),
            text: safeText(
              partsText([
                tableText(
                  ["livepatch", "release", "kernel", "SHA-256"],
                  added.map(({ path, sha256, custom }) => [path, String(custom.counter), custom.kernel.release, sha256]),
                ),
                stagedText(staged),
              ]),
            ),
          };
        },
      ),
    );
};

async function signersOf(task: Task, files: readonly string[], passphrase: string | undefined): Promise<Signer[]> {
  const { openKeyFile } = await trust();
  const signers: Signer[] = [];
  for (const file of files) signers.push(await openKeyFile(task, file, () => passphraseOf(passphrase, file)));
  return signers;
}

const sign: Add = (repo, run) => {
  repo
    .command("sign")
    .description("shows what a key would sign, with a digest of it; signs it if that is given as --read")
    .argument("<folder>", `${FOLDER}, or a copy of it that was carried here`)
    .option("--key <key-file>", "FILE.key of the one who signs")
    .option("--read <digest>", "the digest of what was read: what has changed since then is not signed")
    .addOption(list("--role <role>", "only these"))
    .option("--from <folder>", "instead: takes over the signatures that another copy of the folder has on the same bytes")
    .addOption(passphraseFile())
    .action(
      run(
        async (
          task,
          folder: string,
          options: { key?: string; read?: string; role: string[]; from?: string; passphraseFile?: string },
        ): Promise<Answer> => {
          const { signStaged, takeSignatures } = await trust();
          if (options.from !== undefined) {
            const { taken, refused } = await takeSignatures(task, folder, options.from);
            const words = refused.map(({ where, message }) => `${where.file}: ${message}`);
            return {
              document: repoTakeDocument.of({ taken, refused: words }),
              text: safeText(
                partsText([
                  tableText(
                    ["role", "signed by"],
                    taken.map((each) => [each.role, each.key]),
                  ),
                  headedText("not taken", words.map((word) => `  ${word}`).join("\n")),
                  taken.length === 0 ? "nothing new" : "",
                ]),
              ),
            };
          }
          if (options.key === undefined) throw fail("CLI_USAGE", "whose signature? --key FILE.key");
          const [signer] = await signersOf(task, [options.key], options.passphraseFile);
          if (signer === undefined) throw fail("CLI_USAGE", "whose signature? --key FILE.key");
          const found = await signStaged(task, folder, signer, { read: options.read, roles: options.role });
          const parts = found.roles.map(({ role, version, expires, sha256, says }) =>
            headedText(
              `${role}, version ${version}, good until ${expires}, SHA-256 ${sha256}`,
              says.map((line) => `  ${line}`).join("\n") || "  nothing else",
            ),
          );
          const last = found.signed
            ? `signed by ${found.key}`
            : `NOT signed. If this is what ${found.key} wants to sign:\n  suture repo sign ${folder} --key ${options.key} --read ${found.digest}`;
          return { document: repoSignDocument.of(found), text: safeText(partsText([...parts, last])) };
        },
      ),
    );
};

interface PolicyOptions {
  rollOut?: string;
  livepatch?: string;
  channel?: string;
  ring: string[];
  notBefore?: string;
  deadline?: string;
  window: string[];
  soak?: string;
  hold?: boolean;
  resume?: boolean;
  done?: boolean;
  end?: boolean;
}

const policy: Add = (repo, run) => {
  repo
    .command("policy")
    .description("shows the policy, or begins or changes a roll-out of it")
    .argument("<folder>", FOLDER)
    .option("--roll-out <id>", "which one; a new one needs --livepatch")
    .option("--livepatch <name>", "name, path or SHA-256 of one in the repository")
    .option("--channel <channel>", "machines that follow another one are not meant; stable unless given")
    .addOption(list("--ring <ring>", "LABEL=PERCENT, in order; all=PERCENT means every machine; replaces those before"))
    .option("--not-before <time>", "UTC, 2026-01-31T22:00:00Z; none takes it away")
    .option("--deadline <time>", "from then on windows do not matter; none takes it away")
    .addOption(list("--window <window>", "DAY,...,HH:MM-HH:MM[,utc|local], or none; replaces those before"))
    .option("--soak <seconds>", "that a machine watches it before it keeps it; 600 unless given")
    .option("--hold", "nobody more loads it")
    .option("--resume", "it goes on")
    .option("--done", "every machine of the channel takes it")
    .option("--end", "nobody loads it any more, for ever")
    .action(
      run(async (task, folder: string, options: PolicyOptions) => {
        const { changePolicy, showPolicy, Work } = await trust();
        const change = changeIn(options);
        const found = change === undefined ? await showPolicy(folder) : await changePolicy(task, folder, change, new Date());
        const staged = await (await Work.open(folder)).stagedRoles();
        return {
          document: repoPolicyDocument.of({ policy: found, staged }),
          text: safeText(
            partsText([
              tableText(
                ["roll-out", "state", "kernel", "release", "channel", "rings"],
                found.rollouts.map(({ id, state, kernel, target, channel, rings }) => [
                  id,
                  state,
                  kernel.release,
                  String(target.counter),
                  channel,
                  rings.map(({ label, share }) => `${label} ${share / 100} %`).join(", "),
                ]),
              ),
              stagedText(staged),
            ]),
          ),
        };
      }),
    );
};

function changeIn(options: PolicyOptions): RolloutChange | undefined {
  const { rollOut, hold, resume, done, end } = options;
  const states: [boolean | undefined, Rollout["state"]][] = [
    [hold, "held"],
    [resume, "rolling"],
    [done, "done"],
    [end, "withdrawn"],
  ];
  const asked = states.filter(([given]) => given === true).map(([, state]) => state);
  if (asked.length > 1) throw fail("CLI_USAGE", "--hold, --resume, --done and --end stand in place of each other");
  const { livepatch, channel, ring, notBefore, deadline, window, soak } = options;
  if (rollOut === undefined) {
    if (
      [livepatch, channel, notBefore, deadline, soak].some((given) => given !== undefined) ||
      ring.length + window.length + asked.length > 0
    )
      throw fail("CLI_USAGE", "which roll-out? --roll-out ID");
    return undefined;
  }
  if (soak !== undefined && !/^\d{1,7}$/.test(soak)) throw fail("CLI_USAGE", `--soak ${soak} is no number of seconds`);
  return {
    id: rollOut,
    livepatch,
    channel,
    rings: ring.length === 0 ? undefined : ring.map(ringOf),
    notBefore: notBefore === "none" ? null : notBefore,
    deadline: deadline === "none" ? null : deadline,
    windows: window.length === 0 ? undefined : window.filter((word) => word !== "none").map(windowOf),
    soak: soak === undefined ? undefined : Number(soak),
    state: asked[0],
  };
}

function ringOf(word: string): Rollout["rings"][number] {
  const [, label, percent] = /^([^=]+)=(\d{1,3}(?:\.\d{1,2})?)$/.exec(word) ?? [];
  const share = Math.round(Number(percent) * 100);
  if (label === undefined || !(share <= 10_000)) throw fail("CLI_USAGE", `--ring ${word} is not LABEL=PERCENT`);
  return { label, share };
}

function windowOf(word: string): Window {
  const parts = word.split(",");
  const days = parts.flatMap((part) => WEEKDAYS.filter((day) => day === part));
  const [, from, to] = parts.flatMap((part) => [/^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(part)]).find((found) => found !== null) ?? [];
  const zone = parts.find((part) => part === "utc" || part === "local") as Window["zone"] | undefined;
  if (from === undefined || to === undefined || parts.length !== days.length + 1 + (zone === undefined ? 0 : 1))
    throw fail(
      "CLI_USAGE",
      `--window ${word} is not DAY,...,HH:MM-HH:MM,utc`,
      {},
      { mend: `Days are ${WEEKDAYS.join(", ")}; without any it is each day.` },
    );
  return { days, from, to, zone: zone ?? "local" };
}

const withdraw: Add = (repo, run) => {
  repo
    .command("withdraw")
    .description("takes a livepatch back, for ever")
    .argument("<folder>", FOLDER)
    .argument("<name>", "name, path or SHA-256 of the livepatch")
    .addOption(new Option("--action <action>", "what machines do that have it").choices([...WITHDRAWAL_ACTIONS]).makeOptionMandatory())
    .requiredOption("--reason <text>", "for people")
    .option("--replacement <name>", "of the action replace: the livepatch that takes its place")
    .action(
      run(async (task, folder: string, name: string, options: { action: Withdrawal["action"]; reason: string; replacement?: string }) => {
        const { withdraw: take, Work } = await trust();
        const withdrawals = await take(task, folder, name, { ...options, now: new Date() });
        const staged = await (await Work.open(folder)).stagedRoles();
        return {
          document: repoWithdrawDocument.of({ withdrawals, staged }),
          text: safeText(
            partsText([
              tableText(
                ["livepatch", "action", "reason"],
                withdrawals.entries.map(({ sha256, action, reason }) => [sha256, action, reason]),
              ),
              stagedText(staged),
            ]),
          ),
        };
      }),
    );
};

const renew: Add = (repo, run) => {
  repo
    .command("renew")
    .description("what people sign, unchanged, good for as long again")
    .argument("<folder>", FOLDER)
    .addOption(list("--role <role>", "only these; with patches go its kernel lines"))
    .action(
      run(async (task, folder: string, options: { role: string[] }) => {
        const staged = await (await trust()).renew(task, folder, options.role, new Date());
        return { document: repoStagedDocument.of({ folder, staged }), text: safeText(stagedText(staged)) };
      }),
    );
};

const publish: Add = (repo, run) => {
  repo
    .command("publish")
    .description(
      "what is signed by enough, under a new snapshot and timestamp, into the folder that machines see; run it again before the timestamp expires",
    )
    .argument("<folder>", FOLDER)
    .argument("<published-folder>", "of a web server, or for a stick; with --check also the address of what is out there")
    .addOption(list("--key <key-file>", "of snapshot and timestamp; where these were changed, those of before too").makeOptionMandatory())
    .option("--check", "says what would be published, and writes nothing")
    .addOption(passphraseFile())
    .action(
      run(async (task, folder: string, out: string, options: { key: string[]; check?: boolean; passphraseFile?: string }) => {
        const { publish: out_ } = await trust();
        const check = options.check === true;
        const signers = await signersOf(task, options.key, options.passphraseFile);
        const found = await out_(task, folder, out, { signers, check, now: new Date() });
        return {
          document: repoPublishDocument.of({ ...found, check }),
          text: safeText(
            partsText([
              tableText(
                ["role", "version", ""],
                Object.entries(found.versions).map(([role, version]) => [
                  role,
                  String(version),
                  found.promoted.includes(role) ? "new" : "",
                ]),
              ),
              headedText("beware", found.notes.map((note) => `  ${note}`).join("\n")),
              fieldsText([
                ["not signed by enough, left out", found.waiting.join(", ")],
                [check ? "would be published in" : "published in", out],
                ["written", check ? "nothing: this was a check" : countText(found.written, "file")],
              ]),
            ]),
          ),
        };
      }),
    );
};

const mirroredAnswer = (found: Mirrored): Answer => ({
  document: repoMirrorDocument.of(found),
  text: safeText(
    fieldsText([
      ["fleet", found.fleet],
      ["timestamp", `version ${found.timestamp}, signed at ${found.signedAt}`],
      ["written", `${countText(found.written, "file")} in ${found.folder}`],
    ]),
  ),
});

const ROOT = "root metadata (1.root.json) that came by a way that you trust; needed the first time";

const mirror: Add = (repo, run) => {
  repo
    .command("mirror")
    .description("copies a published repository, verified as machines do it; older than what is there is refused")
    .argument("<address>", "http://..., https://..., file:///... or a folder")
    .argument("<published-folder>", "where the copy is")
    .option("--root <file>", ROOT)
    .action(
      run(async (task, address: string, folder: string, options: { root?: string }) => {
        const { mirror: copy, sourceOf } = await trust();
        return mirroredAnswer(await copy(task, sourceOf(address), folder, options.root, new Date()));
      }),
    );
};

const carry: Add = (repo, run) => {
  repo
    .command("export")
    .description("a published repository in one file, to be carried where no network is")
    .argument("<published-folder>", "the repository")
    .argument("<file>", "that is written")
    .action(
      run(async (task, folder: string, file: string) => {
        const found = await (await trust()).exportRepository(task, folder, file, new Date());
        return {
          document: repoExportDocument.of(found),
          text: safeText(
            fieldsText([
              ["file", file],
              ["holds", `${countText(found.files, "file")}, ${found.bytes} bytes packed`],
            ]),
          ),
        };
      }),
    );
  repo
    .command("import")
    .description("the other end of export: verified as machines do it; older than what is there is refused")
    .argument("<file>", "that export wrote")
    .argument("<published-folder>", "where the repository is")
    .option("--root <file>", ROOT)
    .action(
      run(async (task, file: string, folder: string, options: { root?: string }) =>
        mirroredAnswer(await (await trust()).importRepository(task, file, folder, options.root, new Date())),
      ),
    );
};

const status: Add = (repo, run) => {
  repo
    .command("status")
    .description("what expires when, and who has not signed")
    .argument("<folder>", FOLDER)
    .action(
      run(async (_task, folder: string) => {
        const found = await (await trust()).repositoryStatus(folder, new Date());
        return {
          document: repoStatusDocument.of(found),
          text: safeText(
            partsText([
              tableText(
                ["role", "version", "expires", "", "takes", "of"],
                found.roles.map(({ role, version, expires, state, threshold, keys }) => [
                  role,
                  version === undefined ? "" : String(version),
                  expires ?? "",
                  state === "good" ? "" : state,
                  String(threshold),
                  keys.join(", "),
                ]),
              ),
              headedText(
                "to be signed and published",
                tableText(
                  ["role", "version", "signed by", "lacks", "of"],
                  found.roles.flatMap(({ role, staged }) =>
                    staged === undefined
                      ? []
                      : [[role, String(staged.version), staged.signed.join(", "), String(staged.lacking), staged.mayStillSign.join(", ")]],
                  ),
                ),
              ),
            ]),
          ),
        };
      }),
    );
};

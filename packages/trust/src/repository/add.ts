/** A livepatch into the repository: the next release of its kernel line. */
import { readFile } from "node:fs/promises";
import { archOf } from "@suture/arch";
import { readElf } from "@suture/elf";
import { sha256 } from "@suture/files";
import { inspect, moduleName } from "@suture/livepatch";
import { type Account, accountSchema, isAccountOf, type Manifest, type PatchTargetCustom } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import { patchesOf } from "../client/holds.ts";
import { fail } from "../errors.ts";
import { lineRole } from "../roles.ts";
import { holdersOf, lineDelegations } from "./roles.ts";
import { Work } from "./work.ts";

export interface AddOptions {
  /** JSON that `suture account` or `suture catch-up` printed. */
  account?: string | undefined;
  /** The page that `suture review` wrote. */
  review?: string | undefined;
  unproven?: boolean | undefined;
  /** Releases of the line up to this counter go out of the list. */
  retire?: number | undefined;
  now: Date;
}

export interface Added {
  path: string;
  sha256: string;
  custom: PatchTargetCustom;
  /** That are to be signed now. */
  staged: string[];
}

/** Targets of a line: more make the library slow. */
const MOST = 200;
const SIGNATURE_MARK = "~Module signature appended~\n";

/** @throws TRUST_ADD, TRUST_UNPROVEN */
export async function addLivepatch(task: Task, folder: string, file: string, options: AddOptions): Promise<Added> {
  const bytes = await readBytes(file);
  const { manifest, name, arch } = livepatchOf(bytes, file);
  if (!manifest.proof.proven && options.unproven !== true)
    throw fail("TRUST_UNPROVEN", `it is not proven: ${manifest.proof.reason ?? "no proof was tried"}`, { file });
  const digest = sha256(bytes);
  const { buildId, release } = manifest.kernel;
  const signer = await signerOf(task, bytes, file);
  return Work.locked(task, folder, async (work) => {
    const role = lineRole(buildId);
    const line = (await work.newest(role, "targets"))?.signed;
    const before = line === undefined ? [] : patchesOf(line, role, buildId);
    const same = before.find((patch) => patch.sha256 === digest);
    if (same !== undefined) throw fail("TRUST_ADD", `it is there already, as ${same.path}`, { file });
    const counter = (before.at(-1)?.custom.counter ?? 0) + 1;
    const base = `patches/${buildId}/${name}-${counter}`;
    const kept = before.filter(({ custom }) => custom.counter > (options.retire ?? 0));
    const targets: Record<string, object> = {};
    for (const patch of kept)
      for (const path of [patch.path, ...Object.values(patch.custom.beside).flatMap((beside) => beside?.path ?? [])])
        targets[path] = line?.targets[path] ?? {};
    const put = async (path: string, content: Uint8Array): Promise<{ path: string; sha256: string }> => {
      const target = await work.putTarget(path, content);
      targets[path] = target;
      return { path, sha256: target.hashes.sha256 };
    };
    const manifestText = Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
    const inputs = new Set(manifest.inputs.filter(({ kind }) => kind === "livepatch").map((input) => input.sha256));
    const custom: PatchTargetCustom = {
      suture: 1,
      name,
      kernel: { release, arch, buildId },
      counter,
      predecessor: before.findLast((patch) => inputs.has(patch.sha256))?.sha256 ?? null,
      replace: manifest.replace,
      cves: [...new Set([...manifest.fixes.flatMap(({ cves }) => cves), ...(manifest.account?.carried ?? [])])].sort(),
      proof: { proven: manifest.proof.proven, functions: manifest.proof.functions, sha256: sha256(JSON.stringify(manifest.proof)) },
      inputs: sha256(JSON.stringify(manifest.inputs)),
      keepsAddresses: (manifest.handed ?? []).some(({ kind }) => kind !== "string"),
      signer,
      beside: {
        manifest: await put(`${base}.manifest.json`, manifestText),
        account: options.account === undefined ? null : await put(`${base}.account.json`, await accountOf(options.account, manifest)),
        review: options.review === undefined ? null : await put(`${base}.review.html`, await reviewOf(options.review, digest)),
      },
    };
    const path = `${base}.ko`;
    targets[path] = { ...(await work.putTarget(path, bytes)), custom };
    if (Object.keys(targets).length > MOST)
      throw fail(
        "TRUST_ADD",
        `the line would list ${Object.keys(targets).length} files, and ${MOST} are the most`,
        { file },
        {
          mend: "Take old releases out of the list by --retire COUNTER.",
        },
      );
    if (line === undefined) {
      const { delegations } = await work.needed("patches", "targets");
      const lines = [...(delegations?.roles.map((delegated) => delegated.name) ?? []), role];
      await work.stage("patches", options.now, { targets: {}, delegations: lineDelegations((await holdersOf(work)).patches, lines) });
    }
    await work.stage(role, options.now, { targets });
    return { path, sha256: digest, custom, staged: await work.stagedRoles() };
  });
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw fail("TRUST_ADD", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  }
}

function livepatchOf(bytes: Buffer, file: string): { manifest: Manifest; name: string; arch: string } {
  const { manifest, livepatch, faults, name } = inspect(bytes, file);
  if (!livepatch) throw fail("TRUST_ADD", "it is a module, but no livepatch", { file });
  if (faults.length > 0) throw fail("TRUST_ADD", faults.join("; "), { file });
  if (manifest === undefined)
    throw fail(
      "TRUST_UNPROVEN",
      "Suture did not make it: it has no manifest, so that it does not say for which kernel it is, or whether it fits",
      { file },
    );
  const known = moduleName(name);
  if (!/^\w{1,55}$/.test(known)) throw fail("TRUST_ADD", `"${known}" is no module's name`, { file });
  return { manifest, name: known, arch: archOf(readElf(bytes, file)).debian.name };
}

/** As kmod reads it. */
async function signerOf(task: Task, bytes: Buffer, file: string): Promise<string | null> {
  if (bytes.subarray(-SIGNATURE_MARK.length).toString("latin1") !== SIGNATURE_MARK) return null;
  const { stdout } = await run(task, ["modinfo", "-F", "signer", file]);
  const signer = stdout.trim();
  if (signer === "") throw fail("TRUST_ADD", "it is signed for the kernel, and modinfo does not say by whom", { file });
  return signer;
}

/** Of another livepatch it would say of CVEs what is not so here. */
async function accountOf(file: string, manifest: Manifest): Promise<Buffer> {
  const bytes = await readBytes(file);
  const refused = (why: string): Error => fail("TRUST_ADD", why, { file });
  const account = accountIn(bytes.toString());
  if (account === undefined) throw refused("it is not what `suture account --json` or `suture catch-up --json` prints");
  const { catchUp } = manifest;
  if (catchUp === undefined) throw refused("the livepatch is no catch-up: it is the account of another one");
  if (!isAccountOf(manifest, account))
    throw refused(
      `it is the account of another livepatch: of the report ${account.report} of ${kernelText(account.base)}, and this one has ${catchUp.report} of ${kernelText(catchUp.base)}`,
    );
  return bytes;
}

function accountIn(text: string): Account | undefined {
  try {
    const checked = v.safeParse(
      v.object({ schema: v.pipe(v.string(), v.regex(/^suture\/(?:account|catch-up)-\d+$/)), account: accountSchema }),
      JSON.parse(text),
    );
    return checked.success ? checked.output.account : undefined;
  } catch {
    return undefined;
  }
}

const kernelText = ({ release, version, buildId }: Account["base"]): string =>
  [release, version, buildId].filter((one) => one !== undefined).join(" ");

/** The page says of which module it is. */
async function reviewOf(file: string, digest: string): Promise<Buffer> {
  const bytes = await readBytes(file);
  if (bytes.includes(digest)) return bytes;
  throw fail("TRUST_ADD", `it does not name the SHA-256 ${digest}: it is the page of another livepatch`, { file });
}

/**
 * `--tree`: a source tree that somebody prepared. The one that stands in for it is that of a kernel of the archive, given by its path as if nothing
 * were known of it; `npm run qualify -- own-kernel` does the same for a kernel that is built whole.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot, ownKernel, prepareTarget, type Target } from "@suture/sources";
import { Task } from "@suture/task";
import { documentIn } from "@suture/testkit/document";
import { afterAll, beforeAll, expect, test } from "vitest";

const suture = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-tree-"));
let target: Target;
/** A tree of its own, of hard links: what a test changes in it is replaced, not written to. */
let tree = "";

beforeAll(async () => {
  const task = new Task();
  const release = await ownKernel(task);
  target = await prepareTarget(task, release, { cache: cacheRoot(process.env) });
  tree = join(folder, "tree");
  spawnSync("cp", ["-al", target.tree, tree]);
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { code: number | null; report: unknown; stderr: string } {
  const { status, stdout, stderr } = spawnSync(suture, [...args, "--json"], { cwd: folder, encoding: "utf8" });
  return { code: status, report: stdout === "" ? undefined : documentIn(stdout), stderr };
}

const given = (): string[] => ["--tree", tree, "--image", target.image, "--modules", target.modules ?? ""];

function replaceFile(path: string, text: string): void {
  rmSync(join(tree, path));
  writeFileSync(join(tree, path), text, "latin1");
}

function stateOf(root: string): string {
  return spawnSync("find", [root, "-printf", "%p %y %s %T@\\n"], { encoding: "utf8", maxBuffer: 2 ** 28 }).stdout;
}

test("its objects are proven, it is left as it was, and an edit of it is noticed", () => {
  const before = stateOf(tree);
  expect(run("prove", "fs/pipe.o", "fs/isofs/rock.o", ...given()).report).toMatchObject({
    kernel: target.release,
    objects: [
      { object: "fs/pipe.o", owner: "vmlinux", doubts: [] },
      { object: "fs/isofs/rock.o", owner: "isofs", doubts: [] },
    ],
  });
  expect(stateOf(tree)).toBe(before);
  const source = readFileSync(join(tree, "fs/pipe.c"), "latin1");
  replaceFile(
    "fs/pipe.c",
    source.replace("pipe_unlock(struct pipe_inode_info *pipe)\n{", "$&\n\tbarrier();\n\tWRITE_ONCE(pipe->files, pipe->files);"),
  );
  const { code, report } = run("build", "--rebuild", "fs/pipe.o:pipe_lock", ...given());
  expect(report).toMatchObject({ error: { code: "BUILD_UNPROVEN", where: { file: "fs/pipe.o" } } });
  expect(code).toBe(1);
  replaceFile("fs/pipe.c", source);
});

test("what is not a prepared tree of gcc's is refused, with what to do", () => {
  const refusal = (path: string): { code: string; mend: string } =>
    (run("prove", "fs/pipe.o", "--tree", path, "--image", target.image).report as { error: { code: string; mend: string } }).error;
  const bare = join(folder, "bare");
  mkdirSync(join(bare, "kernel", "livepatch"), { recursive: true });
  expect(refusal(bare).code).toBe("TREE_NOT_A_KERNEL");
  copyFileSync(join(target.tree, "Makefile"), join(bare, "Makefile"));
  expect(refusal(bare).code).toBe("TREE_NO_SOURCE");
  writeFileSync(join(bare, "kernel", "livepatch", "core.c"), "");
  expect(refusal(bare)).toMatchObject({
    code: "TREE_NOT_PREPARED",
    mend: expect.stringContaining(`make -C ${bare} olddefconfig modules_prepare`),
  });
  for (const part of ["include", "scripts", "tools"]) symlinkSync(join(target.tree, part), join(bare, part));
  const config = readFileSync(join(target.tree, ".config"), "utf8");
  writeFileSync(join(bare, ".config"), config);
  expect(refusal(bare).code).toBe("TREE_NO_SYMVERS");
  copyFileSync(join(target.tree, "Module.symvers"), join(bare, "Module.symvers"));
  writeFileSync(join(bare, ".config"), config.replace(/^CONFIG_HZ=.*$/m, "CONFIG_HZ=1"));
  expect(refusal(bare).code).toBe("TREE_NOT_PREPARED");
  writeFileSync(join(bare, ".config"), config);
  rmSync(join(bare, "include"));
  mkdirSync(join(bare, "include"));
  for (const part of ["config", "generated"]) spawnSync("cp", ["-a", join(target.tree, "include", part), join(bare, "include")]);
  const set = (from: RegExp, to: string): void => {
    for (const file of [".config", "include/config/auto.conf"])
      writeFileSync(join(bare, file), readFileSync(join(target.tree, file), "utf8").replace(from, to));
    utimesSync(join(bare, ".config"), 0, 0);
  };
  set(/^CONFIG_CC_IS_GCC=y$/m, "CONFIG_CC_IS_CLANG=y");
  expect(refusal(bare).code).toBe("TREE_COMPILER");
  set(/^CONFIG_CC_VERSION_TEXT=.*$/m, 'CONFIG_CC_VERSION_TEXT="gcc-99 (Nobody) 99.1.0"');
  expect(refusal(bare)).toMatchObject({ code: "SOURCE_COMPILER_MISSING", mend: expect.stringContaining("gcc-99") });
});

test("an image of another kernel, and words that do not belong together, are refused", () => {
  const release = join(tree, "include/generated/utsrelease.h");
  const text = readFileSync(release, "utf8");
  replaceFile("include/generated/utsrelease.h", text.replace(target.release, "6.1.0-another"));
  expect(run("prove", "fs/pipe.o", ...given()).report).toMatchObject({ error: { code: "BUILD_KERNEL" } });
  replaceFile("include/generated/utsrelease.h", text);
  expect(run("prove", "fs/pipe.o", "--image", target.image).report).toMatchObject({ error: { code: "CLI_USAGE" } });
  expect(run("prove", "fs/pipe.o", "--tree", tree, "--kernel", target.release).code).toBe(2);
  expect(run("prove", "fs/pipe.o", "--tree", tree).report).toMatchObject({ error: { code: "TREE_NO_IMAGE" } });
});

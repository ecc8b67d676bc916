/**
 * The attacks that the specification of The Update Framework lists, and what its reference implementation is tested against: each with its refusal. Whoever
 * attacks here writes what they like, and signs with the keys that they have stolen.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { sha256 } from "@suture/files";
import { Task } from "@suture/task";
import { codeOf, folderInMemory } from "@suture/testkit/folders";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Client, clientOf } from "../../test/client.ts";
import { after, BUILD_ID, type Loose, MadeRepository, NOW, type RoleName, signatureBy, testKey } from "../../test/made-repository.ts";
import { metadataFile } from "../metadata/write.ts";
import { lineRole, metadataPath, targetFilePath } from "../roles.ts";
import { folderSource } from "../source/folder.ts";
import { httpSource } from "../source/http.ts";
import type { Source } from "../source/source.ts";
import { refresh } from "./refresh.ts";
import { fetchTarget } from "./target.ts";

const LINE = lineRole(BUILD_ID);
const task = new Task();
let folder: string;
let repository: MadeRepository;
let machine: Client;

/** A machine that has seen the repository once. */
beforeEach(async () => {
  folder = folderInMemory({});
  repository = new MadeRepository();
  machine = await clientOf(folder, repository);
  await machine.refresh();
});

/** Signs a role again, changed. */
function again(role: string, change: (signed: Loose) => void, signers?: Parameters<MadeRepository["role"]>[2]): void {
  switch (role) {
    case "root":
    case "targets":
    case "patches":
    case "snapshot":
    case "timestamp":
      repository[role](change, signers);
      break;
    case "policy":
    case "withdrawal":
      repository.document(role, change, signers);
      break;
    default:
      repository.line(change, signers);
  }
  if (!["root", "snapshot", "timestamp"].includes(role)) repository.snapshot();
  if (role !== "timestamp" && role !== "root") repository.timestamp();
}

const ROLES = ["root", "targets", "patches", "policy", "withdrawal", "snapshot", "timestamp", LINE];
const keysOf = (role: string) => repository.keys[(role === LINE ? "patches" : role === "targets" ? "root" : role) as RoleName].keys;

describe("arbitrary software", () => {
  test.each(ROLES)("%s signed by a key that is nobody's", async (role) => {
    again(role, () => {}, [testKey(), testKey()]);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
  });

  test("a file that is not what was signed, whatever its length", async () => {
    const { patches } = await machine.refresh();
    const [patch] = patches;
    if (patch === undefined) throw new Error("none");
    const path = targetFilePath(patch.path, patch.sha256);
    for (const [bytes, code] of [
      [Buffer.from("another livepatch!"), "TRUST_MISMATCH"],
      [Buffer.alloc(patch.length), "TRUST_MISMATCH"],
      [Buffer.alloc(0), "TRUST_MISMATCH"],
    ] as const) {
      repository.files.set(path, bytes);
      expect(await codeOf(() => fetchTarget(task, patch, [repository.source]))).toBe(code);
    }
    repository.files.delete(path);
    expect(await codeOf(() => fetchTarget(task, patch, [repository.source]))).toBe("TRUST_MISSING");
  });

  test.each(["policy", "withdrawal", "patches"])("%s lists what is not its own", async (role) => {
    again(role, (signed) => {
      signed.targets[`patches/${BUILD_ID}/evil.ko`] = { length: 1, hashes: { sha256: "0".repeat(64) } };
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_DELEGATION");
  });

  test("a kernel line lists what is for another kernel, and delegates are given more than is theirs", async () => {
    again(LINE, (signed) => {
      for (const target of Object.values<Loose>(signed.targets))
        if (target.custom !== undefined) target.custom.kernel.buildId = "ff".repeat(20);
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_DELEGATION");
    again(LINE, () => {});
    await machine.refresh();
    again("targets", (signed) => {
      signed.delegations.roles[1].paths.push("patches/*/*");
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_DELEGATION");
  });
});

describe("too few, repeated and wrong signatures", () => {
  test.each(["root", "targets", "patches", LINE])("%s signed by one key where it takes two", async (role) => {
    again(role, () => {}, keysOf(role).slice(0, 1));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
  });

  test("one key that signs twice", async () => {
    const [key] = repository.keys.patches.keys;
    if (key === undefined) throw new Error("none");
    again(LINE, () => {}, [key, key]);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });

  test("one key under two ids", async () => {
    const [key, other] = repository.keys.root.keys;
    if (key === undefined || other === undefined) throw new Error("none");
    const twin = "ab".repeat(32);
    repository.root((signed) => {
      signed.keys[twin] = key.public;
      signed.roles.root.keyids = [key.id, twin];
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });

  test("a key id named twice in a role, a threshold of zero, of none, and beyond the keys", async () => {
    for (const change of [
      (signed: Loose) => signed.roles.timestamp.keyids.push(signed.roles.timestamp.keyids[0]),
      ...[0, -1, 3, 0.5, "1", null, Number.MAX_SAFE_INTEGER].map((threshold) => (signed: Loose) => {
        signed.roles.timestamp.threshold = threshold;
      }),
    ]) {
      const fresh = new MadeRepository();
      const other = await clientOf(folder, fresh);
      fresh.root((signed) => {
        change(signed);
        // What has no canonical form is not signed at all.
        if (signed.roles.timestamp.threshold === 0.5) signed.roles.timestamp.threshold = 1e300;
      }, fresh.keys.root.keys);
      expect(await codeOf(() => other.refresh())).toBe("TRUST_FORM");
    }
  });

  test("a signature of other bytes, of another role's key, and a thousand bad ones", async () => {
    const good = repository.signed.get("timestamp");
    const [clock] = repository.keys.timestamp.keys;
    if (clock === undefined) throw new Error("none");
    const put = (signatures: { keyid: string; sig: string }[]) =>
      repository.files.set("metadata/timestamp.json", metadataFile({ ...good, version: 2 }, signatures));
    put([signatureBy(clock, good)]);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
    put([{ keyid: clock.id, sig: signatureBy(repository.keys.snapshot.keys[0] ?? clock, { ...good, version: 2 }).sig }]);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
    put(Array.from({ length: 1000 }, (_, i) => ({ keyid: sha256(String(i)), sig: "00".repeat(64) })));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });
});

describe("rollback", () => {
  test.each(["timestamp", "snapshot", "targets", "patches", "policy", "withdrawal", LINE])("of %s", async (role) => {
    again(role, (signed) => {
      signed.version = 5;
    });
    await machine.refresh();
    again(role, (signed) => {
      signed.version = 4;
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_ROLLBACK");
  });

  test("of root: one that is not the next", async () => {
    for (const version of [1, 3]) {
      repository.root((signed) => {
        signed.version = version;
      });
      repository.files.set("metadata/2.root.json", repository.bytes(metadataPath("root", version)));
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_ROLLBACK");
    }
  });

  test("by files of before, all of them", async () => {
    const before = new Map(repository.files);
    repository.all();
    await machine.refresh();
    repository.files.clear();
    for (const [path, bytes] of before) repository.files.set(path, bytes);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_ROLLBACK");
  });

  test("a role that vanishes from the snapshot", async () => {
    repository.snapshot((signed) => {
      delete signed.meta[`${LINE}.json`];
    });
    repository.timestamp();
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_ROLLBACK");
  });

  test("a withdrawal that vanishes, or whose counter falls", async () => {
    const entry = { sha256: "1".repeat(64), action: "disable" as const, replacement: null, reason: "it hangs", at: after(0) };
    repository.withdrawals = { ...repository.withdrawals, counter: 2, entries: [entry] };
    again("withdrawal", () => {});
    await machine.refresh();
    for (const changed of [
      { counter: 3, entries: [] },
      { counter: 1, entries: [entry] },
    ]) {
      repository.withdrawals = { ...repository.withdrawals, ...changed };
      again("withdrawal", () => {});
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_ROLLBACK");
    }
  });

  test("what is kept on the machine is damaged: it is not taken for nothing", async () => {
    for (const name of ["timestamp.json", "snapshot.json", "memory.json", "root.json"]) {
      const file = join(machine.store.folder, name);
      const good = readFileSync(file);
      writeFileSync(file, good.subarray(0, 20));
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_STORE");
      writeFileSync(file, good);
    }
    await machine.refresh();
  });
});

describe("freeze", () => {
  test.each(["root", "timestamp", "snapshot"] as const)("%s that has expired", async (role) => {
    again(role, (signed) => {
      signed.expires = after(-1);
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_EXPIRED");
  });

  test.each(["targets", "patches", "policy", "withdrawal", LINE])(
    "%s that has expired: nothing new is loaded, the rest is known",
    async (role) => {
      again(role, (signed) => {
        signed.expires = after(0);
      });
      const found = await machine.refresh();
      expect(found.refused.map(({ code, where }) => `${code} ${where.file}`)).toEqual([`TRUST_EXPIRED ${role}.json`]);
    },
  );

  test("the same files again and again, until they have expired", async () => {
    await machine.refresh();
    expect(await codeOf(() => machine.refresh(new Date(after(1))))).toBe("TRUST_EXPIRED");
    expect((await machine.recall(new Date(after(1)))).refused).toHaveLength(1);
  });

  test("a clock that was set back is behind what was signed, which counts", async () => {
    const found = await machine.refresh(new Date(after(-3000)));
    expect(found.at).toEqual(NOW);
    expect(found.warnings.join()).toContain("the clock of this machine is behind");
    again("timestamp", (signed) => {
      signed.expires = after(-1);
    });
    expect(await codeOf(() => machine.refresh(new Date(after(-3000))))).toBe("TRUST_EXPIRED");
  });

  test("a thief of the timestamp's key cannot move the time beyond what others signed", async () => {
    again("timestamp", (signed) => {
      signed.suture.signedAt = after(20_000);
    });
    await machine.refresh();
    expect((await machine.store.memory()).floor).toBe(after(7));
  });

  test.each([
    "2026-03-02",
    "tomorrow",
    "",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "9999-99-99T99:99:99Z",
    "+275760-09-13T00:00:00Z",
    "2026-03-02T00:00:00+01:00",
  ])("an expiry of the form %s", async (expires) => {
    again("timestamp", (signed) => {
      signed.expires = expires;
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });
});

describe("mix and match", () => {
  test("a snapshot that the timestamp does not name", async () => {
    const old = repository.bytes("metadata/1.snapshot.json");
    repository.snapshot();
    repository.timestamp();
    repository.files.set("metadata/2.snapshot.json", old);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_MISMATCH");
  });

  test.each(["targets", "patches", "policy", "withdrawal", LINE])("an older %s under the name of the newest", async (role) => {
    const old = repository.bytes(metadataPath(role, 1));
    again(role, () => {});
    repository.files.set(metadataPath(role, 2), old);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_MISMATCH");
  });

  test("two files of one version, both signed", async () => {
    const named = repository.bytes(metadataPath("policy", 1));
    repository.document("policy", (signed) => {
      signed.version = 1;
      signed.expires = after(29);
    });
    expect(repository.bytes(metadataPath("policy", 1))).not.toEqual(named);
    const other = await clientOf(folder, repository);
    expect(await codeOf(() => other.refresh())).toBe("TRUST_MISMATCH");
  });

  test("a mirror in the middle of a copy", async () => {
    again("policy", () => {});
    repository.files.delete(metadataPath("policy", 2));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_MISSING");
  });

  test("another source is asked, and the first one is told of", async () => {
    const before = new Map(repository.files);
    repository.all();
    await machine.refresh();
    const stale: Source = { name: "stale", read: async (_task, path) => before.get(path) };
    const asked = { store: machine.store, now: NOW, buildId: BUILD_ID };
    expect(await codeOf(() => refresh(task, asked, [stale]))).toBe("TRUST_ROLLBACK");
    const found = await refresh(task, asked, [stale, repository.source]);
    expect(found.warnings.join()).toContain("TRUST_ROLLBACK");
  });
});

describe("wrong lengths and endless data", () => {
  test.each(["targets", "patches", "policy", "withdrawal", LINE])("%s shorter or longer than the snapshot says", async (role) => {
    for (const by of [-1, 1]) {
      again(role, () => {});
      repository.snapshot((signed) => {
        signed.meta[`${role}.json`].length += by;
      });
      repository.timestamp();
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_MISMATCH");
    }
  });

  test("lengths and versions that are no numbers, or too great", async () => {
    for (const length of [-1, 1e300, Number.MAX_SAFE_INTEGER, "100", null]) {
      repository.timestamp((signed) => {
        signed.meta["snapshot.json"].length = length;
      });
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
    }
    for (const version of [0, -1, 2 ** 53, "7"]) {
      again("timestamp", (signed) => {
        signed.version = version;
      });
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
    }
  });

  async function serve(answer: (write: (chunk: Buffer) => boolean, end: () => void) => void): Promise<string> {
    const server: Server = createServer((_request, response) => {
      answer(
        (chunk) => {
          if (!response.destroyed) response.write(chunk);
          return !response.destroyed;
        },
        () => response.end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test("a server that never ends", async () => {
    const place = await serve((write) => {
      const more = (): void => {
        if (write(Buffer.alloc(65_536, 32))) setTimeout(more, 1);
      };
      more();
    });
    const asked = { store: machine.store, now: NOW, buildId: BUILD_ID };
    expect(await codeOf(() => refresh(task, asked, [httpSource(place)]))).toBe("TRUST_TOO_BIG");
  });

  test("a server that says nothing more", async () => {
    const place = await serve((write) => {
      write(Buffer.from("{"));
    });
    const asked = { store: machine.store, now: NOW, buildId: BUILD_ID };
    expect(await codeOf(() => refresh(task, asked, [httpSource(place, { patience: 200 })]))).toBe("TRUST_FETCH");
  });

  test("a server that drips", async () => {
    const place = await serve((write) => {
      const timer = setInterval(() => {
        if (!write(Buffer.from(" "))) clearInterval(timer);
      }, 20);
    });
    const read = httpSource(place, { patience: 200, slowest: 1_000_000 }).read(task, "metadata/timestamp.json", 100_000);
    expect(await codeOf(() => read)).toBe("TRUST_FETCH");
  });

  test("a file that is larger than it may be, and a pipe in its place", async () => {
    const there = folderInMemory({ "metadata/timestamp.json": " ".repeat(20_000) });
    expect(await codeOf(() => folderSource(there).read(task, "metadata/timestamp.json", 16_384))).toBe("TRUST_TOO_BIG");
    expect(await codeOf(() => folderSource(there).read(task, "metadata", 16_384))).toBe("TRUST_FETCH");
  });

  test("more targets than a file may list, and JSON that is nested without end", async () => {
    again(LINE, (signed) => {
      for (let i = 0; i < 500; i++) signed.targets[`patches/${BUILD_ID}/more-${i}`] = { length: 1, hashes: { sha256: "0".repeat(64) } };
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
    repository.files.set("metadata/timestamp.json", Buffer.from(`{"a":`.repeat(3000)));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
    repository.files.set("metadata/timestamp.json", Buffer.from("[".repeat(8000) + "]".repeat(8000)));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });
});

describe("what the library would let pass", () => {
  test.each<[string, (signed: Loose) => void]>([
    ["hashes that are none", (signed) => (signed.meta["snapshot.json"].hashes = {})],
    ["another hash", (signed) => (signed.meta["snapshot.json"].hashes = { md5: "00" })],
    ["no length", (signed) => delete signed.meta["snapshot.json"].length],
    ["another snapshot beside", (signed) => (signed.meta["other.json"] = signed.meta["snapshot.json"])],
    ["no time", (signed) => delete signed.suture],
    ["another specification", (signed) => (signed.spec_version = "2.0")],
  ])("%s", async (_what, change) => {
    again("timestamp", change);
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FORM");
  });

  test("a member that nobody knows is signed, and let be", async () => {
    again("timestamp", (signed) => {
      signed.later = { more: [1, "two"] };
    });
    expect((await machine.refresh()).refused).toEqual([]);
  });

  test("one that was not signed is not", async () => {
    const file = JSON.parse(Buffer.from(repository.bytes("metadata/timestamp.json")).toString());
    file.signed.version = 2;
    file.signed.later = 1;
    repository.files.set("metadata/timestamp.json", Buffer.from(JSON.stringify(file)));
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
  });

  test("a policy and withdrawals of another fleet, and a root", async () => {
    repository.policy = { ...repository.policy, fleet: "other" };
    again("policy", () => {});
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FLEET");
    repository.root((signed) => {
      signed.suture.fleet = "other";
    });
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_FLEET");
  });

  test("the time that is given counts, not the machine's", async () => {
    const long = new MadeRepository();
    const other = await clientOf(folder, long);
    await other.refresh(new Date(after(0.5)));
    expect(await codeOf(() => other.refresh(new Date(after(1.1))))).toBe("TRUST_EXPIRED");
  });
});

describe("keys that were stolen, and how it is mended", () => {
  /** Fast-forward: the highest version that there is, so that nothing comes after it. */
  const TOP = Number.MAX_SAFE_INTEGER;

  test.each([["timestamp"], ["snapshot"], ["timestamp", "snapshot"]] as RoleName[][])(
    "fast-forward by the keys of %s %s",
    async (...roles) => {
      if (roles.includes("snapshot"))
        repository.snapshot((signed) => {
          signed.version = TOP;
          for (const meta of Object.values<Loose>(signed.meta)) meta.version = Math.max(meta.version, 1);
        });
      repository.timestamp((signed) => {
        if (roles.includes("timestamp")) signed.version = TOP;
      });
      await machine.refresh();
      // The keys are replaced, and versions begin where they were before.
      for (const role of roles) repository.keys[role] = { keys: [testKey()], threshold: 1 };
      repository.root();
      repository.snapshot((signed) => {
        signed.version = 2;
      });
      repository.timestamp((signed) => {
        signed.version = 3;
      });
      expect((await machine.refresh()).refused).toEqual([]);
      expect((await machine.recall()).patches).toHaveLength(1);
    },
  );

  test("the new root is there, and the power goes before what the old keys signed is forgotten", async () => {
    repository.timestamp((signed) => {
      signed.version = TOP;
    });
    await machine.refresh();
    repository.keys.timestamp = { keys: [testKey()], threshold: 1 };
    await machine.store.write("root", repository.root());
    repository.timestamp((signed) => {
      signed.version = 2;
    });
    expect((await machine.refresh()).refused).toEqual([]);
  });

  test("of policy, withdrawal and patches: replaced by root, what the old ones sign is refused", async () => {
    for (const role of ["policy", "withdrawal", "patches"] as const) {
      const stolen = repository.keys[role].keys;
      repository.keys[role] = { keys: [testKey(), testKey()].slice(0, stolen.length), threshold: repository.keys[role].threshold };
      repository.all();
      await machine.refresh();
      again(role, () => {}, stolen);
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
      again(role, () => {});
      expect((await machine.refresh()).refused).toEqual([]);
    }
  });

  test("of withdrawal: what its thief withdrew is given back under other keys", async () => {
    const entry = { sha256: "1".repeat(64), action: "disable" as const, replacement: null, reason: "sabotage", at: after(0) };
    repository.withdrawals = { ...repository.withdrawals, counter: TOP, entries: [entry] };
    again("withdrawal", () => {});
    await machine.refresh();
    repository.keys.withdrawal = { keys: [testKey()], threshold: 1 };
    repository.withdrawals = { ...repository.withdrawals, counter: 1, entries: [] };
    repository.all();
    expect((await machine.refresh()).withdrawals.entries).toEqual([]);
  });

  test("of timestamp and snapshot: no livepatch comes of it", async () => {
    const evil = Buffer.from("evil");
    repository.livepatches.push(evil);
    repository.line(() => {}, [...repository.keys.timestamp.keys, ...repository.keys.snapshot.keys]);
    repository.publish();
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
  });

  test("of root, fewer than it takes: nothing comes of it", async () => {
    const [stolen] = repository.keys.root.keys;
    if (stolen === undefined) throw new Error("none");
    repository.keys.timestamp = { keys: [testKey()], threshold: 1 };
    repository.root(() => {}, [stolen]);
    repository.timestamp();
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
  });

  test("a new root signed by the new keys alone, or by the old ones alone", async () => {
    const old = repository.keys.root;
    repository.keys.root = { keys: [testKey(), testKey()], threshold: 2 };
    repository.keys.targets.keys = repository.keys.root.keys;
    for (const signers of [repository.keys.root.keys, old.keys, [...old.keys.slice(0, 1), ...repository.keys.root.keys]]) {
      repository.root((signed) => {
        signed.version = 2;
      }, signers);
      expect(await codeOf(() => machine.refresh())).toBe("TRUST_SIGNATURES");
    }
    repository.root(
      (signed) => {
        signed.version = 2;
      },
      [...old.keys.slice(0, 2), ...repository.keys.root.keys],
    );
    repository.all();
    expect((await machine.refresh()).expiries.find(({ role }) => role === "root")?.version).toBe(2);
  });

  test("a machine that missed three roots follows each of them", async () => {
    for (let i = 0; i < 3; i++) {
      const old = repository.keys.root.keys;
      repository.keys.root = { keys: [testKey(), testKey(), testKey()], threshold: 2 };
      repository.keys.targets.keys = repository.keys.root.keys;
      repository.keys.timestamp = { keys: [testKey()], threshold: 1 };
      // Those between may have expired long ago.
      repository.root(
        (signed) => {
          if (i < 2) signed.expires = after(-100);
        },
        [...old.slice(0, 2), ...repository.keys.root.keys],
      );
    }
    repository.all();
    const missing = repository.bytes("metadata/3.root.json");
    repository.files.delete("metadata/3.root.json");
    expect(await codeOf(() => machine.refresh())).toBe("TRUST_EXPIRED");
    repository.files.set("metadata/3.root.json", missing);
    expect((await machine.refresh()).expiries.find(({ role }) => role === "root")?.version).toBe(4);
  });
});

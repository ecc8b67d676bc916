import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Agent } from "./agent.ts";

/** The line: what the host sends, and a way to play the guest. */
function line() {
  const sent: Buffer[] = [];
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      done();
    },
  });
  return { sent, duplex, say: (bytes: Uint8Array) => duplex.emit("data", bytes) };
}

test("requests are numbered and carry their length", () => {
  const { sent, duplex } = line();
  const agent = new Agent(duplex, "abc");
  expect(agent.send("run", Buffer.from("true\n")).id).toBe(1);
  agent.kill(1);
  expect(agent.send("dump").id).toBe(3);
  expect(Buffer.concat(sent).toString()).toBe("1 run 5\ntrue\n2 kill 2\n1\n3 dump 0\n");
});

test("nothing is kept of requests that nobody waits for", () => {
  const { duplex, say } = line();
  const agent = new Agent(duplex, "abc");
  const { id } = agent.send("run");
  agent.kill(id);
  expect(agent.awaited).toBe(1);
  agent.forget(id);
  expect(agent.awaited).toBe(0);
  say(Buffer.from(`\x01abc ${id} 0 2 0 0\nok`));
  expect(agent.awaited).toBe(0);
});

test("answers arrive whole, whatever stands between them and however they are cut", async () => {
  const output = fc.uint8Array({ maxLength: 600 });
  // Noise may be anything but the marker itself.
  const noise = fc.uint8Array({ maxLength: 600 }).filter((bytes) => !bytes.includes(1));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(noise, output, fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(3000)),
      async (rounds, cuts) => {
        const { duplex, say } = line();
        const agent = new Agent(duplex, "abc");
        const answers = rounds.map(() => agent.send("run").answer);
        const bytes = Buffer.concat(
          rounds.flatMap(([before, body, code], index) => [
            before,
            Buffer.from(`\x01abc ${index + 1} ${code} ${body.length} 1.50 2.25\n`),
            body,
          ]),
        );
        const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        for (const [index, from] of places.entries()) say(bytes.subarray(from, places[index + 1] ?? bytes.length));
        const got = await Promise.all(answers);
        rounds.forEach(([, body, code], index) => {
          expect(got[index]).toEqual({ code, output: Buffer.from(body), from: 1.5, to: 2.25 });
        });
      },
    ),
  );
});

test("a head with nonsense in it is passed over", async () => {
  const { duplex, say } = line();
  const agent = new Agent(duplex, "abc");
  const { answer } = agent.send("run");
  say(Buffer.from(`\x01abc 1 0 99999999999 0 0\n\x01abc x\n\x01abc ${"9".repeat(400)}\x01abc 1 3 2 0 0\nok`));
  expect(await answer).toEqual({ code: 3, output: Buffer.from("ok"), from: 0, to: 0 });
});

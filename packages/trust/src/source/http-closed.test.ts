/** Servers close connections that are idle, whether somebody is about to use them or not. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Task } from "@suture/task";
import { expect, onTestFinished, test } from "vitest";
import { httpSource } from "./http.ts";

/** Each connection answers so many requests, and is closed at the next one. @returns the address, and how many connections there were */
async function serverThatCloses(answers: number): Promise<{ address: string; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    let asked = 0;
    socket.on("error", () => {});
    socket.on("data", () => {
      if (++asked > answers) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, connections: () => connections };
}

test("a connection that is closed when it is used again is made anew; a server that closes each one is not asked without end", async () => {
  const good = await serverThatCloses(1);
  const source = httpSource(good.address);
  for (let n = 0; n < 3; n++) expect(Buffer.from((await source.read(new Task(), "a", 10)) ?? []).toString()).toBe("ok");
  expect(good.connections()).toBeGreaterThan(1);
  const bad = await serverThatCloses(0);
  await expect(httpSource(bad.address).read(new Task(), "a", 10)).rejects.toMatchObject({ code: "TRUST_FETCH" });
  expect(bad.connections()).toBe(2);
});

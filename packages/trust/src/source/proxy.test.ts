/** A proxy that is a server of its own here, and notes what it is asked. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";
import { Task } from "@suture/task";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { httpSource } from "./http.ts";

afterEach(() => vi.unstubAllEnvs());

async function addressOf(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function proxyAndServer(): Promise<{ proxy: string; server: string; asked: string[] }> {
  const server = createServer((_, answer) => void answer.end("ok"));
  const asked: string[] = [];
  const proxy = createServer((question, answer) => {
    asked.push(`${question.method} ${question.url}`);
    request(question.url ?? "", (found) => void found.pipe(answer)).end();
  });
  proxy.on("connect", ({ url = "" }, socket) => {
    asked.push(`CONNECT ${url}`);
    const [host, port] = url.split(":");
    const other = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      other.pipe(socket).pipe(other);
    });
    for (const end of [socket, other]) end.on("error", () => {});
  });
  return { proxy: `http://${await addressOf(proxy)}`, server: await addressOf(server), asked };
}

const textOf = async (address: string, proxy?: string): Promise<string> =>
  Buffer.from((await httpSource(address, { proxy }).read(new Task(), "a/b.json", 10)) ?? []).toString();

test.each(["http_proxy", "HTTP_PROXY"])("what is told by %s is asked through the proxy, but for hosts of no_proxy", async (name) => {
  const { proxy, server, asked } = await proxyAndServer();
  vi.stubEnv(name, proxy);
  expect(await textOf(`http://${server}/fleet/`)).toBe("ok");
  expect(asked).toEqual([`GET http://${server}/fleet/a/b.json`]);
  vi.stubEnv("NO_PROXY", "example.org,127.0.0.1");
  expect(await textOf(`http://${server}/fleet/`)).toBe("ok");
  expect(asked).toHaveLength(1);
});

test("one that is given counts, whatever the environment says; https goes through it unread", async () => {
  const { proxy, server, asked } = await proxyAndServer();
  vi.stubEnv("http_proxy", "http://127.0.0.1:1");
  expect(await textOf(`http://${server}/`, proxy)).toBe("ok");
  // The server speaks no TLS: how far it came is what the proxy was asked.
  await expect(textOf(`https://${server}/`, proxy)).rejects.toMatchObject({ code: "TRUST_FETCH" });
  expect(asked).toEqual([`GET http://${server}/a/b.json`, `CONNECT ${server}`]);
});

test("one that is not there is told as such", async () => {
  const { server } = await proxyAndServer();
  await expect(textOf(`http://${server}/`, "http://127.0.0.1:1")).rejects.toMatchObject({
    code: "TRUST_FETCH",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

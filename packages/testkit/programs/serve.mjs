// Serves the folder that it is given on a port of the loopback, and counts what it is asked for in a file.
import { appendFileSync, createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";

const [folder, port, log] = process.argv.slice(2);
createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  appendFileSync(log, `${path}\n`);
  const file = join(folder, path);
  try {
    const { size } = statSync(file);
    response.writeHead(200, { "content-length": size });
    createReadStream(file).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));

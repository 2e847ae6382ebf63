// A process that serves the files of a folder over HTTP, HTTPS and HTTP/2: serving-process.mjs FOLDER. Says its ports, and on
// each message how many descriptors it has, and mappings of files of the folder.
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { serve } from 'memmap/http';
import { KINDS } from './servers.mjs';

const [, , folder] = process.argv;
const codes = {};

function handle(request, response) {
  serve(request, response, join(folder, basename(request.url))).catch((error) => {
    codes[error.code] = (codes[error.code] ?? 0) + 1;
    if (!response.headersSent) response.writeHead(404).end();
  });
}

const ports = {};
for (const [kind, { create }] of Object.entries(KINDS)) {
  const server = create(handle);
  await new Promise((resolve) => server.listen(0, resolve));
  ports[kind] = server.address().port;
}
process.on('message', () => {
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n').filter((line) => line.includes(folder)).length;
  const memory = Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
  process.send({ descriptors: readdirSync('/proc/self/fd').length, maps, memory, codes });
});
process.send(ports);

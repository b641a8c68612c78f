import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// An application that stops reading in the middle of an upload is alive, however long its window stays
// closed.

const pauseMs = 6_000;
const bodyBytes = 30 * 2 ** 20;

/**
 * An HTTP/1.1 server that reads a first part of each body, nothing for a while, then the rest, and answers.
 */
async function startPausing(at: ListenAddress): Promise<Server> {
  const server = createServer((socket: Socket) => {
    let wanted = 0;
    let got = 0;
    let paused = false;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      if (wanted === 0) {
        const end = chunk.indexOf('\r\n\r\n') + 4;
        const length = /content-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1] ?? '0';
        wanted = end + Number(length);
      }
      got += chunk.length;
      if (!paused && got < wanted) {
        paused = true;
        socket.pause();
        setTimeout(() => socket.resume(), pauseMs);
      }
      if (got < wanted) return;
      wanted = 0;
      got = 0;
      paused = false;
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole');
    });
  });
  server.listen(at.port, at.address);
  await once(server, 'listening');
  return server;
}

/** Uploads `bodyBytes`; the status of the answer, 0 where there is none. */
function upload({ address, port }: ListenAddress): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: 'pausing.test', 'content-length': bodyBytes };
    const sent = request({ host: address, port, method: 'POST', path: '/', headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end(Buffer.alloc(bodyBytes, 'u'));
  });
}

for (const [what, userTimeoutMs, status] of [
  ['an upload to an application that pauses arrives', undefined, 200],
  ['negative control: with 1.5 s to confirm what was sent it is cut', 1_500, 503],
] as const)
  t.test(what, async (t) => {
    const [outbound, at] = [await freeAddress(), await freeAddress()];
    const app = await startPausing(at);
    const { close } = await startPatched({
      scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
      yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pausing, namespace: test}
spec:
  hosts: [pausing.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: ${at.address}, ports: {http: ${at.port}}, locality: sh-a}]
`,
      patch(message: Loose) {
        const options = message.upstream_bind_config?.socket_options;
        if (userTimeoutMs !== undefined && options !== undefined) options[0].int_value = userTimeoutMs;
      },
    });
    t.teardown(async () => {
      await close();
      app.close();
    });
    await until(
      'it answers',
      async () => (await get(outbound, '/', { host: 'pausing.test' })).status === 200,
    );
    t.equal(await upload(outbound), status);
  });

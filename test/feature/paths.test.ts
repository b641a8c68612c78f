import { createServer, request, type Server } from 'node:http';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { echoService, startGrpcUpstream } from '../../src/drill/upstream/upstream-grpc.ts';
import { get, until } from '../support/mesh.ts';
import { startTwoIdcs, type TestGroup } from '../support/two-idcs.ts';

const eventStreamSeconds = 60;

const near: TestGroup = { name: 'near', idc: 'sh-a', protocol: 'HTTP' };
const far: TestGroup = { name: 'far', idc: 'sh-b', protocol: 'HTTP' };
const nearGrpc: TestGroup = { name: 'near-grpc', idc: 'sh-a', protocol: 'GRPC' };
const farGrpc: TestGroup = { name: 'far-grpc', idc: 'sh-b', protocol: 'GRPC' };

const world = await startTwoIdcs([near, far, nearGrpc, farGrpc]);
t.teardown(() => world.close());
// The event loop must outlive the waits between requests.
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** How often each request reached an instance, by its id. */
const tries = new Map<string, number>();

function startHttp(group: TestGroup): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://test');
    const id = String(request.headers['x-test-id'] ?? '');
    tries.set(id, (tries.get(id) ?? 0) + 1);
    if (url.pathname === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      let sent = 0;
      const timer = setInterval(() => {
        response.write(`data: ${++sent}\n\n`);
        if (sent === eventStreamSeconds) {
          clearInterval(timer);
          response.end();
        }
      }, 1000);
      response.on('close', () => clearInterval(timer));
      return;
    }
    request.resume();
    systemClock.after(Number(url.searchParams.get('ms') ?? 0), () => response.end(group.name));
  });
  return new Promise((resolve) => server.listen(world.socket(group), () => resolve(server)));
}

for (const group of [near, far]) {
  const server = await startHttp(group);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}
for (const group of [nearGrpc, farGrpc]) {
  const socketPath = world.socket(group);
  const server = await startGrpcUpstream({
    instance: group.name,
    idc: group.idc,
    socketPath,
    logFile: `${socketPath}.log`,
  });
  t.teardown(() => server.forceShutdown());
}

const paths = [
  { name: 'sidecar to a local instance', to: world.outbound, http: near, grpc: nearGrpc },
  { name: 'sidecar to another IDC', to: world.outbound, http: far, grpc: farGrpc },
  { name: 'edge to a local instance', to: world.edge, http: near, grpc: nearGrpc },
  { name: 'edge to another IDC', to: world.edge, http: far, grpc: farGrpc },
];

// All paths and requests at once: they are slow by design.
t.jobs = paths.length;
for (const path of paths) {
  t.test(path.name, { timeout: 110_000 }, async (t) => {
    const host = `${path.http.name}.test`;
    await until('the path is open', async () => (await get(path.to, '/', { host })).body === path.http.name);
    const send = async (id: string, method: string, ms: number) => {
      const headers = { 'x-test-id': `${path.name}/${id}` };
      const answer = await get(path.to, `/?ms=${ms}`, { host, method, headers });
      return { ...answer, tries: tries.get(`${path.name}/${id}`) ?? 0 };
    };
    const checks = [
      ...[800, 5000].map(async (ms) => {
        const answer = await send(`get ${ms}`, 'GET', ms);
        t.equal(answer.status, 200, `a GET of ${ms} ms is not cut`);
        t.equal(answer.tries, 1, 'and runs once');
      }),
      ...[0, 800, 5000].map(async (ms) => {
        const answer = await send(`post ${ms}`, 'POST', ms);
        t.equal(answer.status, 200, `a POST of ${ms} ms is not cut`);
        t.equal(answer.tries, 1, 'and not sent twice');
      }),
      (async () => {
        const events = await countEvents(path.to, host, `${path.name}/events`);
        t.equal(events, eventStreamSeconds, `${eventStreamSeconds} s of events, all of them`);
      })(),
      (async () => {
        const client = new Client(`${path.to.address}:${path.to.port}`, credentials.createInsecure(), {
          'grpc.default_authority': `${path.grpc.name}.test`,
        });
        t.equal(await say(client, 'hello'), 'hello', 'a gRPC call');
        t.equal(await watch(client, 20), 20, 'a gRPC stream of 10 s');
        client.close();
      })(),
    ];
    await Promise.all(checks);
  });
}

function countEvents(to: { address: string; port: number }, host: string, id: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: to.address,
        port: to.port,
        path: '/events',
        headers: { host, accept: 'text/event-stream', 'x-test-id': id },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text.split('\n\n').length - 1));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

async function say(client: Client, text: string): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = echoService.Say;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          Buffer.from(text),
          (error, answer) => (error ? reject(error) : resolve(String(answer))),
        );
      });
    } catch (reason) {
      // Only until the path is open.
      if (attempt === 50) throw reason;
      await sleep(systemClock, 100);
    }
  }
}

function watch(client: Client, count: number): Promise<number> {
  const { path, requestSerialize, responseDeserialize } = echoService.Watch;
  const metadata = new Metadata();
  metadata.set('x-drill-count', String(count));
  return new Promise((resolve, reject) => {
    let seen = 0;
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.from('tick'),
      metadata,
    );
    call.on('data', () => {
      seen += 1;
    });
    call.on('end', () => resolve(seen));
    call.on('error', reject);
  });
}

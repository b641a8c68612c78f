import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { goTool, javaTool } from '../support/built-tools.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, until } from '../support/mesh.ts';

// gRPC clients without a proxy, of three independent implementations: near, and through the gateways when
// nobody is near.

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const main = path('../../src/cli/main.ts');
const go = goTool('xdscaller');
const clients = [
  ['grpc-js', [process.execPath, path('grpc-xds-main.ts')]],
  ['grpc-go', go === undefined ? undefined : [go]],
  ['grpc-java', javaTool('XdsCaller')],
] as const;

const bytes = (buffer: Buffer) => buffer;
const codec = {
  ...{
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

/** Starts an instance that answers its name. */
async function startInstance(name: string, at: ListenAddress): Promise<Server> {
  const server = new Server();
  const hello = { path: '/greeter/Hello', requestStream: false, responseStream: false, ...codec };
  server.addService({ hello }, {
    hello: (_: unknown, done: (error: null, answer: Buffer) => void) => done(null, Buffer.from(name)),
  } as never);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${at.address}:${at.port}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  return server;
}

/** A client of sh-a that calls again and again, and its answers. */
function startClient(t: Test, command: readonly string[], xds: ListenAddress, target = 'checkout.test') {
  const flags = ['--role', 'grpc', '--idc', 'sh-a', '--id', 'client', '--namespace', 'test'];
  const bootstrap = execFileSync(
    process.execPath,
    [main, 'bootstrap', ...flags, '--xds', `${xds.address}:${xds.port}`],
    { encoding: 'utf8' },
  );
  const [file = '', ...args] = command;
  const child: ChildProcess = spawn(file, [...args, `xds:///${target}`], {
    env: { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: bootstrap },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const answers: string[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => answers.push(line));
  return {
    /** Waits for an answer, and returns all that came since the last wait. */
    async until(wanted: string): Promise<string[]> {
      await until(`an answer of ${wanted}`, () => answers.includes(wanted));
      return answers.splice(0);
    },
    /** The next answers. */
    async next(count: number): Promise<string[]> {
      answers.splice(0);
      await until(`${count} answers`, () => answers.length >= count);
      return answers.splice(0, count);
    },
  };
}

for (const [name, command] of clients)
  t.test(
    `${name}: its IDC's instances first, then through the egress, and home again`,
    {
      timeout: 240_000,
      skip: command === undefined ? `${name} is not built (make go-tools, make java-tools)` : false,
    },
    async (t) => {
      const [a, b] = [await freeAddress(), await freeAddress()];
      let near = await startInstance('near', a);
      const far = await startInstance('far', b);
      const world = await startIdcs({
        idcs: ['sh-a', 'sh-b'],
        hopLimit: 1,
        groups: [
          {
            ...{ name: 'checkout', protocol: 'GRPC' },
            instances: [
              { idc: 'sh-a', at: a },
              { idc: 'sh-b', at: b },
            ],
          },
        ],
      });
      t.teardown(async () => {
        for (const server of [near, far]) server.forceShutdown();
        await world.close();
      });
      const plane = world.meshes.get('sh-a')?.plane;
      const client = startClient(t, command ?? [], plane?.xds as ListenAddress);
      t.same([...new Set(await client.until('near'))], ['near'], 'the first call is answered');
      t.same([...new Set(await client.next(100))], ['near']);
      const proxy = plane?.status().proxies.find(({ role }) => role === 'grpc');
      t.match(proxy?.types, { LDS: { state: 'SYNCED' }, CDS: { state: 'SYNCED' }, EDS: { state: 'SYNCED' } });

      if (name === 'grpc-js') {
        startClient(t, command ?? [], plane?.xds as ListenAddress, 'chekout.test');
        const told = () => plane?.status().problems.find(({ message }) => /^dials/.test(message))?.message;
        await until('a target that is none is told', () => told() !== undefined);
        t.match(told(), /^dials xds:\/\/\/chekout\.test in vain: .* Did you mean 'checkout\.test'/);
      }

      near.forceShutdown();
      const between = await client.until('far');
      const errors = between.filter((answer) => answer.startsWith('error'));
      t.comment(`${errors.length} calls failed as their instance died: ${[...new Set(errors)]}`);
      t.ok(errors.length <= 3, 'those that were in work with it');
      t.same([...new Set(await client.next(100))], ['far']);
      await until('it is logged', () => world.accessLines().some(({ proxy }) => proxy === 'sh-b-ingress'));
      const lines = world.accessLines().filter(({ path }) => path === '/greeter/Hello');
      t.match(
        lines.find(({ proxy }) => proxy === 'sh-a-egress'),
        { listener: 'sidecar', authority: 'checkout.test' },
      );
      t.match(
        lines.find(({ proxy }) => proxy === 'sh-b-ingress'),
        { listener: 'peer', trail: 'sh-a,sh-b' },
      );
      t.notOk(
        lines.some(({ proxy }) => proxy === 'caller'),
        'no proxy of the caller has a part in it',
      );

      near = await startInstance('near', a);
      await client.until('near');
      t.same([...new Set(await client.next(100))], ['near']);

      await t.test('the control: without the egress there is no way', async (t) => {
        process.kill(world.pids.get('sh-a-egress') as number, 'SIGKILL');
        near.forceShutdown();
        await until('an error', async () => (await client.next(1))[0]?.startsWith('error') === true);
        const after = await client.next(3);
        t.ok(
          after.every((answer) => answer.startsWith('error')),
          after.join('; '),
        );
      });
    },
  );

import t from 'tap';
import { type AdminServer, serveAdmin } from '../../src/api/admin-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type LogFields, silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { idc, service } from '../registry/objects.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { createRawSource } from '../support/planes/raw-source.ts';

t.test('while a source is still read, /readyz reports it, and /livez is 200', async (t) => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const listen = await freeAddress();
  let admin: AdminServer | undefined;
  const starting = startControlPlane({
    ...{ idc: 'sh-a', sources: [createRawSource([idc('sh-a'), service('s', 'a.example')], gate)] },
    ...{ xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock: systemClock, logger: silentLogger },
    async onListening(plane) {
      admin = await serveAdmin(plane, listen, undefined);
    },
  });
  t.teardown(async () => {
    await admin?.close();
    await (await starting).close();
  });
  await until('it answers', () => admin !== undefined);
  t.match(await get(listen, '/readyz'), {
    status: 503,
    body: /^not ready, waiting for: source raw, .*filters\n/,
  });
  t.equal((await get(listen, '/livez')).status, 200);
  t.match(JSON.parse((await get(listen, '/status')).body), { ready: false, proxies: [] });
  open();
  await until('it is ready', async () => (await get(listen, '/readyz')).status === 200);
  t.equal((await get(listen, '/readyz')).body, 'ready\n');
});

t.test('an admin address in use ends the start', async (t) => {
  const refused = startControlPlane({
    ...{ idc: 'sh-a', sources: [createRawSource([idc('sh-a')])] },
    ...{ xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock: systemClock, logger: silentLogger },
    onListening: () => Promise.reject(new Error('the port is taken')),
  });
  await t.rejects(refused, /the port is taken/);
});

t.test('an IDC that the registry lacks is a warning that names those that it has', async (t) => {
  const warned = async (own: string) => {
    const lines: (LogFields | undefined)[] = [];
    const warn = (message: string, fields?: LogFields) =>
      void (message === 'not ready' && lines.push(fields));
    const plane = await startControlPlane({
      ...{ idc: own, sources: [createRawSource([idc('sh-a'), idc('sh-b')])], hopLimit: 1 },
      ...{ xds: { address: '127.0.0.1', port: 0 }, clock: systemClock, logger: { ...silentLogger, warn } },
    });
    t.teardown(() => plane.close());
    await until('it is ready, or warns', () => plane.readiness().ready || lines.length > 0);
    return lines;
  };
  const why = /^Idc sh-x: the registry has sh-a, sh-b: correct --idc.* Did you mean 'sh-a'\?$/;
  t.match((await warned('sh-x')).at(-1), { why: [why] });
  t.same(await warned('sh-a'), [], 'the control: there is nothing to do');
});

import { connect } from 'node:net';
import t from 'tap';
import {
  ask,
  echoes,
  openGrpc,
  openWebsocket,
  piece,
  startSlowGrpc,
  startSlowInstance,
} from '../support/apps/streams.ts';
import { type PlacedGroup, startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Nothing is cut that is alive: at the sidecar and at the edge, at home and across a crossing, all at once.
const idleMs = 2_000;
/**
 * Beyond the idle timeout of the Groups that have one, and beyond the 15 s that were once the limit of a
 * whole request.
 */
const [longMs, wholeMs] = [5_000, 17_000];

const [web, rpc] = [await freeAddress(), await freeAddress()];
const of = (name: string, traffic: object): PlacedGroup[] =>
  (['sh-a', 'sh-b'] as const).flatMap((idc) => {
    const far = idc === 'sh-a' ? 'near' : 'far';
    return [
      { name: `${name}-${far}`, instances: [{ idc, at: web }], traffic },
      { name: `${name}-rpc-${far}`, instances: [{ idc, at: rpc }], protocol: 'GRPC', traffic },
    ] as const;
  });
const groups = [
  ...of('plain', {}),
  ...of('idle', { idleTimeout: `${idleMs}ms` }),
  ...of('whole', { timeout: `${idleMs}ms` }),
];
const servers = [await startSlowInstance(web), await startSlowGrpc(rpc)];
const world = await startIdcs({ idcs: ['sh-a', 'sh-b'], hopLimit: 1, groups });
const keepAlive = setInterval(() => {}, 1000);
t.teardown(async () => {
  clearInterval(keepAlive);
  for (const server of servers) server.close();
  await world.close();
});
const edge = (world.gateways.get('sh-a') as { edge: typeof web }).edge;
const ways = Object.entries({ sidecar: world.outbound, edge }).flatMap(([side, to]) =>
  ['near', 'far'].map((far) => ({ what: `${side}, ${far}`, to, far })),
);
for (const { to } of ways)
  for (const { name } of groups.filter(({ protocol }) => protocol === undefined))
    await until(
      'the path is open',
      async () => (await get(to, '/poll?ms=0', { host: `${name}.test` })).status === 200,
    );

/** What was seen, beside what it should be, as `t.match` takes it. */
type See = (seen: unknown, right: unknown, words?: string) => void;
const runs: { readonly what: string; readonly seen: Promise<Parameters<See>[]> }[] = [];

/** Begins a scenario: all run at the same time, and are judged one after another. */
function begin(what: string, scenario: (see: See) => Promise<void>): void {
  const list: Parameters<See>[] = [];
  const seen = scenario((seen, right, words = '') => list.push([seen, right, words])).then(() => list);
  seen.catch(() => {});
  runs.push({ what, seen });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const { what, to, far } of ways) {
  const host = (group: string) => `${group}-${far}.test`;

  begin(`${what}: a download of 17 s and an upload of 17 s`, async (see) => {
    const bytes = (wholeMs / piece.everyMs) * piece.bytes;
    const [down, up] = await Promise.all([
      ask(to, host('plain'), `/download?ms=${wholeMs}`),
      ask(to, host('plain'), '/', { bodyMs: wholeMs }),
    ]);
    see(down, { status: 200, bytes, isWhole: true });
    see(up, { status: 200, text: String(bytes), isWhole: true });
  });

  begin(`${what}: what moves outlasts the idle timeout, what is quiet does not`, async (see) => {
    const bytes = (longMs / piece.everyMs) * piece.bytes;
    const [down, up, poll, events] = await Promise.all([
      ask(to, host('idle'), `/download?ms=${longMs}`),
      ask(to, host('idle'), '/', { bodyMs: longMs }),
      ask(to, host('idle'), `/poll?ms=${longMs}`),
      ask(to, host('idle'), `/events?ms=${longMs}`),
    ]);
    see(down, { status: 200, bytes, isWhole: true });
    see(up, { status: 200, text: String(bytes), isWhole: true });
    see(poll, { status: 504, isWhole: true });
    see(events, { status: 200, text: 'data: first\n\n', isWhole: false });
  });

  begin(`${what}: long polling and a quiet event stream`, async (see) => {
    const [poll, events] = await Promise.all([
      ask(to, host('plain'), `/poll?ms=${longMs}`),
      ask(to, host('plain'), `/events?ms=${longMs}`),
    ]);
    see(poll, { status: 200, text: 'answered' });
    see(events, { status: 200, text: 'data: first\n\ndata: last\n\n', isWhole: true });
  });

  begin(`${what}: websockets`, async (see) => {
    const quiet = await openWebsocket(to, host('plain'));
    const cut = await openWebsocket(to, host('idle'));
    const talking = await openWebsocket(to, host('idle'));
    if (quiet === undefined || cut === undefined || talking === undefined) throw new Error('no upgrade');
    for (const socket of [quiet, cut, talking]) see(await echoes(socket), true);
    const gone = new Promise((resolve) => cut.once('close', resolve).on('error', () => {}));
    for (let i = 0; i < longMs / 1_000; i += 1) {
      await pause(1_000);
      see(await echoes(talking), true, 'a word each second');
    }
    see(await echoes(quiet), true, 'quiet, and alive');
    await gone;
    quiet.destroy();
    talking.destroy();
  });

  begin(`${what}: gRPC streams`, async (see) => {
    const [quiet, cut, talking] = [
      openGrpc(to, host('plain-rpc')),
      openGrpc(to, host('idle-rpc')),
      openGrpc(to, host('idle-rpc')),
    ];
    for (const { stream } of [quiet, cut, talking]) see(await echoes(stream), true);
    for (let i = 0; i < longMs / 1_000; i += 1) {
      await pause(1_000);
      see(await echoes(talking.stream), true, 'a word each second');
    }
    see(await echoes(quiet.stream), true, 'quiet, and alive');
    see((await cut.trailers)['grpc-status'] !== '0', true, 'the control');
    quiet.stream.end();
    see(await quiet.trailers, { 'grpc-status': '0' });
    for (const { session } of [quiet, cut, talking]) session.destroy();
  });

  begin(`${what}: a Group's timeout is of requests, not of streams`, async (see) => {
    const rpc = openGrpc(to, host('whole-rpc'));
    const browser = openGrpc(to, host('whole-rpc'), { 'content-type': 'application/grpc-web+proto' });
    const socket = await openWebsocket(to, host('whole'));
    if (socket === undefined) throw new Error('no upgrade');
    for (const stream of [rpc.stream, browser.stream, socket]) see(await echoes(stream), true);
    // The timeout begins when the request has ended.
    rpc.stream.end();
    browser.stream.end();
    const [poll, events] = await Promise.all([
      ask(to, host('whole'), `/poll?ms=${longMs}`),
      ask(to, host('whole'), `/events?ms=${longMs}`, { headers: { accept: 'text/event-stream' } }),
    ]);
    see(poll, { status: 504 });
    see(events, { status: 200, text: 'data: first\n\ndata: last\n\n', isWhole: true });
    see(await rpc.trailers, { 'grpc-status': '0' });
    see(await browser.trailers, { 'grpc-status': '0' });
    see(await echoes(socket), true);
    for (const { session } of [rpc, browser]) session.destroy();
    socket.destroy();
  });

  begin(`${what}: the deadline of a gRPC client holds`, async (see) => {
    const { stream, session, trailers } = openGrpc(to, host('plain-rpc'), { 'grpc-timeout': '1S' });
    see(await echoes(stream), true);
    see((await trailers)['grpc-status'] !== '0', true);
    session.destroy();
  });
}

begin(
  'headers that come byte by byte end after 10 s at the edge, a body that does is read on',
  async (see) => {
    const send = (head: string, bytes: string) => {
      const socket = connect(edge.port, edge.address);
      socket.on('error', () => {}).write(head);
      const timer = setInterval(() => socket.write(bytes), 500);
      return new Promise<number>((resolve) => {
        const since = Date.now();
        const finish = () => {
          clearInterval(timer);
          socket.destroy();
          resolve(Date.now() - since);
        };
        socket.on('close', finish);
        setTimeout(finish, wholeMs);
      });
    };
    const [headers, body] = await Promise.all([
      send('GET /poll HTTP/1.1\r\nhost: plain-near.test\r\nx-slow: ', 'a'),
      send('POST / HTTP/1.1\r\nhost: plain-near.test\r\ncontent-length: 1000\r\n\r\n', 'a'),
    ]);
    see(headers >= 9_000 && headers < wholeMs - 1_000, true, `headers: ${headers} ms`);
    see(body >= wholeMs - 100, true, `body: ${body} ms`);
  },
);

for (const { what, seen } of runs) {
  t.test(what, { timeout: 120_000 }, async (t) => {
    for (const [is, right, words = ''] of await seen) t.match(is, right, words);
  });
}

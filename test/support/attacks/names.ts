import { clusterType, endpointType, pushOrder } from '../../../src/xds/resource-types.ts';
import { field } from '../../../src/xds/wire/varint.ts';
import { type Attack, stillOpen, type Target } from './attack.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2, type RawCall } from './call.ts';
import { pause, served } from './ends.ts';
import { answered, manyCalls, onCall } from './once.ts';
import { firstRequest } from './sizes.ts';

/** How a call ends that asks for much: it is served, or told that it is too much. */
const fine = new RegExp(`^${answered}$|status 8: .`);
/** The same of many: some wait. REFUSED_STREAM (7): above SETTINGS_MAX_CONCURRENT_STREAMS. */
const some = { endsWith: /^(status 8: .|GOAWAY 11: .|reset 7$)/, open: served };

/** Sends so many requests, as fast as the connection takes them. */
async function sendMany(call: RawCall, count: number, next: (i: number) => Buffer): Promise<void> {
  for (let i = 0; i < count && !call.hasEnded(); i += 1) {
    void call.send(next(i));
    if (call.waiting() > 2 ** 20) await pause(5);
  }
}

/** Many requests after a first one. */
function many(name: string, count: number, first: (target: Target) => Buffer, next: (i: number) => Buffer) {
  return onCall({
    ...{ name, endsWith: fine },
    async send(call, target) {
      void call.send(first(target));
      await sendMany(call, count, next);
    },
  });
}

/** Streams on one connection, each with a first request of its own. */
function streams(
  name: string,
  ends: Pick<Attack, 'endsWith' | 'open'>,
  count: number,
  first: (i: number, target: Target) => Buffer,
): Attack {
  return {
    ...{ name, ...ends },
    async run(target) {
      const connection = openHttp2(target.at);
      const ends = await manyCalls(connection, count, (i) => first(i, target), 3_000);
      connection.close();
      return ends;
    },
  };
}

/** Much work: names, types, classes, requests, streams. */
export const nameAttacks: readonly Attack[] = [
  many(
    '5,000 subscriptions and their ends, by turns',
    5_000,
    (target) => firstRequest(target, 'turns'),
    (i) => deltaRequest({ type: endpointType, [i % 2 === 0 ? 'names' : 'unsubscribe']: ['a', 'b'] }),
  ),
  many(
    '5,000 NACKs of what was never sent',
    5_000,
    (target) => firstRequest(target, 'no'),
    (i) => deltaRequest({ nonce: i.toString(36), error: 'no' }),
  ),
  many(
    'a wildcard that is asked for 3,000 times',
    3_000,
    (target) => firstRequest(target, 'again'),
    () => deltaRequest({ names: ['*'] }),
  ),
  many(
    '3,000 sets of names, none as another',
    3_000,
    (target) => firstRequest(target, 'states'),
    (i) =>
      deltaRequest({ type: endpointType, names: namesOf(20, `set-${i}`), unsubscribe: [`set-${i - 1}-3`] }),
  ),
  onCall({
    name: '50,000 initial versions',
    endsWith: fine,
    send(call, target) {
      const initial = namesOf(50_000, 'x').map((name) =>
        field(5, Buffer.concat([field(1, name), field(2, 'version')])),
      );
      return call.send(Buffer.concat([firstRequest(target, 'resumes'), ...initial]));
    },
  }),
  streams(
    '200 type URLs that nobody knows',
    { endsWith: /^(status 3: type URL .* is not served|reset 7$)/ },
    200,
    (i, { scope }) => deltaRequest({ node: nodeOf('types', scope), type: `type.googleapis.com/x.${i}` }),
  ),
  streams('300 classes of nodes on one connection', some, 300, (i, { scope }) =>
    deltaRequest({ node: nodeOf(`class-${i}`, { ...scope, namespace: `class-${i}` }), names: ['*'] }),
  ),
  streams('1,000 streams of all types on one connection', some, 1_000, (i, { scope }) =>
    deltaRequest({
      node: nodeOf(`stream-${i}`, scope),
      type: pushOrder[i % pushOrder.length]?.url ?? clusterType,
      names: ['*'],
    }),
  ),
  onCall({
    name: 'dependsOn of 100,000 names',
    endsWith: /status 3: the node has \d+ bytes/,
    send(call, { scope }) {
      const dependsOn = namesOf(100_000, 'host').map((name) => `${name}.shop`);
      return call.send(deltaRequest({ node: nodeOf('depends', { ...scope, dependsOn }), names: ['*'] }));
    },
  }),
  onCall({
    name: 'a node of another IDC',
    endsWith: /status 3: .*is in IDC/,
    send: (call, { scope }) =>
      call.send(deltaRequest({ node: nodeOf('lost', { ...scope, idc: 'sh-z' }), names: ['*'] })),
  }),
  onCall({
    name: 'no node',
    endsWith: /status 3: the first request of a stream must have a node/,
    send: (call) => call.send(deltaRequest({ names: ['*'] })),
  }),
  onCall({
    name: 'a service that is not there',
    endsWith: /status 12: ./,
    method: '/envoy.service.discovery.v3.Nothing/Stream',
    send() {},
  }),
  onCall({
    name: 'a request that is no gRPC',
    endsWith: /HTTP 415/,
    headers: { 'content-type': 'text/html' },
    send() {},
  }),
  {
    name: '100 clients that read nothing',
    ...some,
    async run({ at, scope, signal }) {
      const connections = Array.from({ length: 100 }, () => openHttp2(at));
      const calls = connections.map((connection, i) => {
        const call = connection.call(methods.delta);
        call.pause();
        const node = nodeOf(`deaf-${i}`, scope);
        for (const { url } of pushOrder)
          void call.send(deltaRequest({ node, type: url, names: ['*', 'instances/echo.shop:80'] }));
        return call;
      });
      for (let i = 0; i < 30 && !signal.aborted; i += 1) await pause(100);
      const ends = await Promise.all(calls.map((call) => (call.hasEnded() ? call.ended : stillOpen)));
      for (const connection of connections) connection.close();
      return ends;
    },
  },
];

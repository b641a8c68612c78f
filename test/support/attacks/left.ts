import { clusterType } from '../../../src/xds/resource-types.ts';
import { type Attack, stillOpen } from './attack.ts';
import { deltaRequest, methods, nodeOf, openHttp2 } from './call.ts';
import { pause } from './ends.ts';
import { answered } from './once.ts';

/**
 * Connections one after another, `width` at once, each with one call; whether each was answered before it was
 * cut.
 */
function comeAndGo(name: string, count: number, width: number, id: (i: number) => string): Attack {
  return {
    name,
    endsWith: new RegExp(`^${answered}$|GOAWAY 11: .`),
    async run({ at, scope, signal }) {
      const ends = new Set<string>();
      let begun = 0;
      const lane = async () => {
        while (begun < count && !signal.aborted) {
          const i = begun;
          begun += 1;
          const connection = openHttp2(at);
          const call = connection.call(methods.delta);
          void call.send(deltaRequest({ node: nodeOf(id(i), scope), type: clusterType, names: ['*'] }));
          for (let n = 0; n < 500 && !call.hasAnswer() && !call.hasEnded(); n += 1) await pause(10);
          ends.add(call.hasEnded() ? await call.ended : call.hasAnswer() ? answered : 'no answer within 5 s');
          connection.close();
        }
      };
      await Promise.all(Array.from({ length: width }, lane));
      return [...ends];
    },
  };
}

/**
 * Calls on one connection, `width` at once, each answered before the next: whether all were, or how the
 * connection ended.
 */
function callAfterCall(name: string, count: number, width: number): Attack {
  return {
    name,
    endsWith: /^GOAWAY 11: streams are opened faster/,
    async run({ at }) {
      const connection = openHttp2(at);
      let begun = 0;
      const lane = async () => {
        while (begun < count && !connection.session.destroyed && !connection.session.closed) {
          begun += 1;
          const call = connection.call(methods.delta);
          void call.send(deltaRequest({ names: ['*'] }));
          await call.ended;
        }
      };
      await Promise.all(Array.from({ length: width }, lane));
      const end = begun < count ? await Promise.race([connection.ended, pause(5_000)]) : answered;
      connection.close();
      return [typeof end === 'string' ? end : stillOpen];
    },
  };
}

/** What is kept of clients that have gone: by their names, by what they had not answered. */
export const leftAttacks: readonly Attack[] = [
  comeAndGo('300 connections that come and go', 300, 1, () => 'brief'),
  callAfterCall('2,000 calls one after another on one connection', 2_000, 40),
  // Each leaves with its clusters unanswered, which is kept by the node's id.
  comeAndGo('500 node ids of 500 bytes, each gone before its ACK', 500, 8, (i) => `${i}-${'x'.repeat(490)}`),
];

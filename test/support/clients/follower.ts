import { clusterType, endpointType } from '../../../src/xds/resource-types.ts';
import type { XdsClient } from './xds-client.ts';

/** A client that takes whatever comes and ACKs it, and knows what it was last told of an assignment. */
export interface Follower {
  /** What `pattern` found last in it; empty at first. */
  last(): string;
  /** How the stream ended; empty while it has not. */
  ended(): string;
  /** Keeps its ACKs back until it is called with true. */
  ack(now: boolean): void;
}

/**
 * Has a client ask for all clusters and for one assignment; `pattern` finds in each response with endpoints
 * what is of interest.
 */
export function follow(
  client: XdsClient,
  protocol: 'delta' | 'sotw',
  assignment: string,
  pattern: RegExp,
): Follower {
  let [last, ended, acking] = ['', '', true];
  const held: (() => void)[] = [];
  const names = (type: string) => (type === endpointType ? [assignment] : []);
  const ask = (type: string) =>
    client.send(
      type,
      protocol === 'delta' ? { resource_names_subscribe: names(type) } : { resource_names: names(type) },
    );
  void client.ended.then(({ code, details }) => {
    ended = `${code}: ${details}`;
  });
  void (async () => {
    ask(clusterType);
    ask(endpointType);
    for (;;) {
      const response = await client.next();
      const [, found] = pattern.exec(JSON.stringify(response)) ?? [];
      if (response.type_url === endpointType && found !== undefined) last = found;
      if (acking) client.ack(response, names(response.type_url));
      else held.push(() => client.ack(response, names(response.type_url)));
    }
  })().catch(() => {});
  return {
    last: () => last,
    ended: () => ended,
    ack(now) {
      acking = now;
      if (now) for (const one of held.splice(0)) one();
    },
  };
}

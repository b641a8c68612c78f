import { systemClock as clock, sleep } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import type { Target } from '../../test/support/attacks/attack.ts';
import {
  deltaRequest,
  methods,
  namesOf,
  nodeOf,
  openHttp2,
  type RawCall,
  readResponse,
} from '../../test/support/attacks/call.ts';

/** How many instances change by turns: each has an address that says how often it changed. */
export const instances = 20;

/** The address of an instance after so many changes, from 1 on. */
export function addressOf(instance: number, change: number): string {
  return `10.${64 + instance}.${change >> 8}.${change & 255}`;
}

/** What the clients say that they are. */
export const scope: Target['scope'] = {
  ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
  outbound: { address: '127.0.0.1', port: 15001 },
};
const assignment = 'instances/echo.shop:80';

/** Well-behaved Delta clients that measure from an event to its arrival. */
export interface Victims {
  /** An event begins: the instance is about to have this many changes behind it. */
  begin(instance: number, change: number): void;
  /** From the event to its arrival, in milliseconds, for each client and event since the last call. */
  take(): number[];
  /** Events that some client has not seen: their number, over all clients. */
  owed(): number;
  /** Clients that have all clusters' endpoints. */
  complete(): number;
  /** Streams that ended, in words. */
  readonly lost: readonly string[];
  close(): void;
}

/** Connects them, each on a connection of its own. */
export function startVictims(to: ListenAddress, count: number): Victims {
  const lost: string[] = [];
  const clients = Array.from({ length: count }, (_, i) => connectVictim(to, `victim-${i + 1}`, lost));
  return {
    begin(instance, change) {
      const at = clock.now();
      for (const client of clients) client.begin(instance, change, at);
    },
    take: () => clients.flatMap((client) => client.take()),
    owed: () => clients.reduce((sum, client) => sum + client.owed(), 0),
    complete: () => clients.filter((client) => client.isComplete()).length,
    lost,
    close() {
      for (const client of clients) client.close();
    },
  };
}

interface Begun {
  readonly change: number;
  readonly at: number;
}

function connectVictim(to: ListenAddress, id: string, lost: string[]) {
  const connection = openHttp2(to);
  const begun: Begun[][] = Array.from({ length: instances }, () => []);
  let times: number[] = [];
  let [asked, has, closed] = [false, false, false];
  const call = connection.call(methods.delta);
  void call.ended.then((how) => void (closed || lost.push(`${id}: ${how}`)));
  call.onMessage(take);
  void call.send(deltaRequest({ node: nodeOf(id, scope), type: clusterType, names: ['*'] }));

  function take(message: Buffer): void {
    const { type, nonce } = readResponse(message);
    if (type === endpointType) note(message);
    void call.send(deltaRequest({ type, nonce }));
    if (asked) return;
    asked = true;
    void call.send(deltaRequest({ type: endpointType, names: [assignment] }));
  }

  /** Whatever an instance's address is now, all changes before it have arrived, or will never. */
  function note(message: Buffer): void {
    const now = clock.now();
    has = true;
    for (const [, second, third, fourth] of message.toString('latin1').matchAll(/10\.(\d+)\.(\d+)\.(\d+)/g)) {
      const change = Number(third) * 256 + Number(fourth);
      const waiting = begun[Number(second) - 64] ?? [];
      while (waiting.length > 0 && (waiting[0] as Begun).change <= change)
        times.push(now - (waiting.shift() as Begun).at);
    }
  }

  return {
    begin: (instance: number, change: number, at: number) => void begun[instance]?.push({ change, at }),
    take() {
      const taken = times;
      times = [];
      return taken;
    },
    owed: () => begun.reduce((sum, waiting) => sum + waiting.length, 0),
    isComplete: () => has && !call.hasEnded(),
    close() {
      closed = true;
      connection.close();
    },
  };
}

/**
 * As many clients that behave as attackers have connections, and messages as long as theirs: what memory that
 * takes is not the attackers' doing, and the C library keeps some of what is freed.
 */
export async function crowd(to: ListenAddress, count: number): Promise<void> {
  const answered = async (call: RawCall) => {
    for (let i = 0; i < 3_000 && !call.hasAnswer() && !call.hasEnded(); i += 1) await sleep(clock, 10);
  };
  const connections = Array.from({ length: count }, () => openHttp2(to));
  const calls = connections.map((connection, i) => {
    const call = connection.call(methods.delta);
    void call.send(deltaRequest({ node: nodeOf(`crowd-${i}`, scope), type: clusterType, names: ['*'] }));
    return call;
  });
  await Promise.all(calls.map(answered));
  for (const connection of connections) connection.close();
  // Two of them on each of six connections: up to 64 MiB may be unfinished on each.
  const gateways = Array.from({ length: 6 }, () => openHttp2(to));
  const long = gateways.flatMap((connection, n) =>
    ['a', 'b'].map((one) => {
      const call = connection.call(methods.delta);
      void call.send(
        deltaRequest({ node: nodeOf(`gateway-${n}-${one}`, scope), type: clusterType, names: ['*'] }),
      );
      void call.send(
        deltaRequest({ type: endpointType, names: namesOf(100_000, `${one}${n}${'-'.repeat(200)}`) }),
      );
      return call;
    }),
  );
  await Promise.all(long.map(answered));
  await sleep(clock, 4_000);
  for (const connection of gateways) connection.close();
}

/**
 * Clients that behave come, take all that there is, and go, eight at once: what they have the control plane
 * use of memory, it uses before others make it do so. Each subscribes to thousands of names of its own.
 */
export async function comeAndGo(to: ListenAddress, count: number): Promise<void> {
  let begun = 0;
  const lane = async () => {
    while (begun < count) {
      begun += 1;
      const connection = openHttp2(to);
      const call = connection.call(methods.delta);
      const awaited = new Set([clusterType, endpointType]);
      call.onMessage((message) => {
        const { type, nonce } = readResponse(message);
        awaited.delete(type);
        void call.send(deltaRequest({ type, nonce }));
      });
      const names = [assignment, ...namesOf(5_000, `of-${begun}`)];
      void call.send(
        deltaRequest({ node: nodeOf(`guest-${begun}`, scope), type: clusterType, names: ['*'] }),
      );
      void call.send(deltaRequest({ type: endpointType, names }));
      for (let i = 0; i < 500 && awaited.size > 0 && !call.hasEnded(); i += 1) await sleep(clock, 10);
      await sleep(clock, 20);
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

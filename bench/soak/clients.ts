import { systemClock as clock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { deltaRequest, methods, nodeOf, openHttp2, readResponse } from '../../test/support/attacks/call.ts';

/** Instances that change in turn: the address of each encodes the number of its changes. */
export const instances = 20;

/** The address of an instance after so many changes, from 1 on. */
export function addressOf(instance: number, change: number): string {
  return `10.${64 + instance}.${(change >> 8) & 255}.${change & 255}`;
}

/** The node of clients. */
export const scopeOf = (namespace: string) =>
  ({
    ...({ role: 'sidecar', idc: 'sh-a', namespace } as const),
    outbound: { address: '127.0.0.1', port: 15_001 },
  }) as const;

/** Well-behaved clients, which measure the time from an event to its arrival. */
export interface Clients {
  /** An event begins: the instance will have this many changes. */
  begin(instance: number, change: number): void;
  /** From an event to its arrival, in milliseconds, for each client and event since the last call. */
  take(): number[];
  /** How many have the instances. */
  complete(): number;
  /** How streams ended, except by `close`. */
  readonly lost: readonly string[];
  close(): void;
}

/** A client that reconnects `pauseMs` after its stream has ended, until it is stopped. */
export interface ClientsOptions {
  readonly reconnects?: boolean;
}

const pauseMs = 500;

/** Connects Delta clients, each on a connection of its own. */
export function startClients(to: ListenAddress, count: number, options: ClientsOptions = {}): Clients {
  const lost: string[] = [];
  const clients = Array.from({ length: count }, (_, i) => new Client(to, `client-${i + 1}`, lost, options));
  for (const client of clients) client.connect();
  return {
    begin(instance, change) {
      const at = clock.now();
      for (const client of clients) client.waiting[instance]?.push({ change, at });
    },
    take: () => clients.flatMap((client) => client.times.splice(0)),
    complete: () => clients.filter(({ isComplete }) => isComplete).length,
    lost,
    close() {
      for (const client of clients) client.close();
    },
  };
}

class Client {
  readonly waiting = Array.from({ length: instances }, (): { change: number; at: number }[] => []);
  readonly times: number[] = [];
  isComplete = false;
  readonly #to: ListenAddress;
  readonly #id: string;
  readonly #lost: string[];
  readonly #reconnects: boolean;
  #close = () => {};
  #closed = false;

  constructor(to: ListenAddress, id: string, lost: string[], { reconnects = false }: ClientsOptions) {
    this.#to = to;
    this.#id = id;
    this.#lost = lost;
    this.#reconnects = reconnects;
  }

  connect(): void {
    const connection = openHttp2(this.#to);
    this.#close = () => connection.close();
    const call = connection.call(methods.delta);
    let asked = false;
    call.onMessage((message) => {
      const { type, nonce } = readResponse(message);
      if (type === endpointType) this.#note(message);
      void call.send(deltaRequest({ type, nonce }));
      if (asked) return;
      asked = true;
      void call.send(deltaRequest({ type: endpointType, names: ['instances/echo.shop:80'] }));
    });
    const node = nodeOf(this.#id, scopeOf('shop'));
    void call.send(deltaRequest({ node, type: clusterType, names: ['*'] }));
    void Promise.race([call.ended, connection.ended]).then((how) => {
      this.isComplete = false;
      connection.close();
      if (this.#closed) return;
      this.#lost.push(`${this.#id}: ${how}`);
      if (this.#reconnects) clock.after(pauseMs * (0.5 + Math.random()), () => this.connect());
    });
  }

  /** An instance's current address means that all changes before it have arrived, or never will. */
  #note(message: Buffer): void {
    const now = clock.now();
    this.isComplete = true;
    for (const [, second, third, fourth] of message.toString('latin1').matchAll(/10\.(\d+)\.(\d+)\.(\d+)/g)) {
      const waiting = this.waiting[Number(second) - 64] ?? [];
      const change = Number(third) * 256 + Number(fourth);
      while (waiting[0] !== undefined && waiting[0].change % 65_536 <= change) {
        this.times.push(now - waiting[0].at);
        waiting.shift();
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#close();
  }
}

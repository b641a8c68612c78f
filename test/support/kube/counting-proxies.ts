import { systemClock as clock } from '../../../src/base/clock.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { clusterType, endpointType } from '../../../src/xds/resource-types.ts';
import { eachChunk, field, readChunk, readText } from '../../../src/xds/wire/varint.ts';
import { deltaRequest, methods, nodeOf, openHttp2, readResponse, sotwRequest } from '../attacks/call.ts';

/** Groups with one instance each, whose addresses count its changes. */
export const groups = 20;

/** The host of a Group. */
export const hostOf = (group: number) => `g-${group}.shop`;

/** The address of a Group's instance after so many changes, up to 65,535. */
export function countedAddress(group: number, change: number): string {
  return `10.${64 + group}.${change >> 8}.${change & 255}`;
}

const assignments = Array.from({ length: groups }, (_, group) => `instances/${hostOf(group)}:80`);

/** Light proxies, each with a connection of its own, which comes back when it has ended. */
export interface CountingProxies {
  /** A change begins. */
  begin(group: number, change: number): void;
  /** How many are connected to each address, by its port. */
  connected(): ReadonlyMap<number, number>;
  /** How many have the last change of every Group. */
  upToDate(): number;
  /** Each time that a proxy was told of an older state than one that it had. */
  readonly backwards: readonly string[];
  /** From the begin of each change to its arrival at each proxy, in milliseconds. */
  readonly delays: readonly number[];
  /** Connections that have ended. */
  readonly ended: number;
  close(): void;
}

/** What all of them share. */
interface Shared {
  readonly backwards: string[];
  readonly delays: number[];
  readonly last: number[];
  ended: number;
  /** Where to connect now; undefined: nowhere. */
  pick(): ListenAddress | undefined;
}

/**
 * Starts proxies, half of them Delta, half State of the World. `pick` says where to connect, each time, as
 * an address does behind which there are several control planes.
 */
export function startCountingProxies(count: number, pick: Shared['pick']): CountingProxies {
  const last = new Array<number>(groups).fill(0);
  const shared: Shared = { ...{ backwards: [], delays: [], last, ended: 0 }, pick };
  const proxies = Array.from({ length: count }, (_, at) => new CountingProxy(at, shared));
  for (const proxy of proxies) proxy.connect();
  return {
    ...{ backwards: shared.backwards, delays: shared.delays },
    get ended() {
      return shared.ended;
    },
    begin(group, change) {
      last[group] = change;
      const at = clock.now();
      for (const proxy of proxies) proxy.waiting[group]?.push({ change, at });
    },
    connected() {
      const counts = new Map<number, number>();
      for (const { at } of proxies) if (at !== undefined) counts.set(at, (counts.get(at) ?? 0) + 1);
      return counts;
    },
    upToDate: () => proxies.filter((proxy) => last.every((change, at) => proxy.had[at] === change)).length,
    close() {
      for (const proxy of proxies) proxy.close();
    },
  };
}

class CountingProxy {
  readonly waiting = Array.from({ length: groups }, (): { change: number; at: number }[] => []);
  /** The last change of each Group that it was told of, over all its connections. */
  readonly had = new Array<number>(groups).fill(0);
  /** The port that it is connected to. */
  at: number | undefined;
  readonly #id: string;
  readonly #isDelta: boolean;
  readonly #shared: Shared;
  /** Versions by name. */
  readonly #clusters = new Map<string, string>();
  readonly #assignments = new Map<string, string>();
  #close = () => {};
  #isClosed = false;

  constructor(index: number, shared: Shared) {
    this.#id = `proxy-${index}`;
    this.#isDelta = index % 2 === 0;
    this.#shared = shared;
  }

  connect(): void {
    if (this.#isClosed) return;
    const to = this.#shared.pick();
    if (to === undefined) {
      this.#again();
      return;
    }
    const connection = openHttp2(to);
    this.#close = () => connection.close();
    connection.session.once('connect', () => {
      this.at = to.port;
    });
    const call = connection.call(this.#isDelta ? methods.delta : methods.sotw);
    const request = this.#isDelta ? deltaRequest : sotwRequest;
    let asked = false;
    const askEndpoints = () => {
      asked = true;
      void call.send(request({ type: endpointType, names: assignments, ...this.#known(this.#assignments) }));
    };
    call.onMessage((message) => {
      const { type, nonce } = readResponse(message);
      if (this.#isDelta) this.#remember(type, message);
      if (type === endpointType) this.#note(message);
      const names = !this.#isDelta && type === endpointType ? { names: assignments } : {};
      void call.send(request({ type, nonce, ...names }));
      if (!asked) askEndpoints();
    });
    const node = nodeOf(this.#id, {
      ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
      outbound: { address: '127.0.0.1', port: 15_001 },
    });
    const all = this.#isDelta ? { names: ['*'] } : {};
    void call.send(request({ node, type: clusterType, ...all, ...this.#known(this.#clusters) }));
    // Who comes back asks for all at once, and may be told of nothing.
    if (this.#assignments.size > 0) askEndpoints();
    void Promise.race([call.ended, connection.ended]).then(() => {
      this.at = undefined;
      this.#shared.ended += 1;
      connection.close();
      this.#again();
    });
  }

  /** As Envoy does, at random up to the first step of its back-off. */
  #again(): void {
    if (!this.#isClosed) clock.after(250 + Math.random() * 500, () => this.connect());
  }

  /** What a Delta client says that it has. */
  #known(versions: ReadonlyMap<string, string>): { readonly more?: Buffer } {
    if (!this.#isDelta) return {};
    const entries = [...versions].map(([name, version]) =>
      field(5, Buffer.concat([field(1, name), field(2, version)])),
    );
    return { more: Buffer.concat(entries) };
  }

  #remember(type: string, message: Buffer): void {
    const versions = type === endpointType ? this.#assignments : this.#clusters;
    eachChunk(message, 'a Delta response', (id, cursor) => {
      if (id !== 2) return false;
      let [name, version] = ['', ''];
      eachChunk(readChunk(cursor), 'a resource', (id, inner) => {
        if (id === 1) version = readText(inner);
        else if (id === 3) name = readText(inner);
        else return false;
        return true;
      });
      versions.set(name, version);
      return true;
    });
  }

  /** A counter that falls is an older state. */
  #note(message: Buffer): void {
    const now = clock.now();
    for (const [, second, third, fourth] of message.toString('latin1').matchAll(/10\.(\d+)\.(\d+)\.(\d+)/g)) {
      const group = Number(second) - 64;
      const change = Number(third) * 256 + Number(fourth);
      const had = this.had[group] ?? 0;
      if (change < had) this.#shared.backwards.push(`${this.#id}: Group ${group}: ${change} after ${had}`);
      this.had[group] = change;
      const waiting = this.waiting[group] ?? [];
      while (waiting[0] !== undefined && waiting[0].change <= change) {
        this.#shared.delays.push(now - waiting[0].at);
        waiting.shift();
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#close();
  }
}

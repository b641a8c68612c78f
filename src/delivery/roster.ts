import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { cut } from '../events/cut.ts';
import type { EventSink } from '../events/event.ts';
import { type Flapping, Flaps } from '../events/flaps.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NodeRole, NodeScope } from '../model/node.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { RefusalLog, type RefusedStreams } from './refused-streams.ts';

/** A proxy's stream, as the roster sees it. */
export interface RosterStream {
  readonly id: number;
  readonly node: string;
  readonly role: NodeRole;
  readonly idc: string;
  /** `address:port` of the peer. */
  readonly peer: string;
  readonly scope: NodeScope;
  /** Where it shows its clusters; absent: nowhere. */
  readonly clusters?: ListenAddress;
}

/** The last event that a stream has ACKed: event → ACK time, and when (the clock's `now`). */
interface LastAck {
  readonly tookMs: number;
  readonly at: number;
}

/** A node that was connected: its current configuration is unknown. */
interface DisconnectedNode {
  readonly id: string;
  readonly role: NodeRole;
  readonly idc: string;
  readonly goneForMs: number;
}

interface Refused {
  readonly node: string | undefined;
  readonly error: { readonly code: string; readonly message: string };
}

/** A gateway that was lost, or is back. */
interface GatewayChange {
  readonly stream: RosterStream;
  readonly goneForMs?: number;
}

interface RosterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
  readonly metrics: Metrics;
}

/** How long, and how many at most, disconnected nodes are remembered. */
export const disconnectedLimits = { keptMs: 3_600_000, nodesMax: 1_000 };

/** Connected and recently connected nodes, and the last ACK of each. */
export class Roster {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: EventSink;
  readonly #metrics: Metrics;
  // Each ACK writes here: numbers, as a new object for each would be moved by the garbage collector.
  readonly #streams = new Map<number, RosterStream & { ackTookMs: number; ackedAt: number | undefined }>();
  readonly #refused: RefusalLog;
  readonly #gateways: Flaps<GatewayChange>;
  readonly #byNode = new Map<string, number>();
  // Oldest first.
  readonly #disconnected = new Map<string, { readonly stream: RosterStream; readonly at: number }>();

  constructor(options: RosterOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#events = options.events;
    this.#metrics = options.metrics;
    this.#refused = new RefusalLog(options.clock);
    this.#gateways = new Flaps(options.clock, (phase, { stream, goneForMs }, flapping) => {
      const gone = flapping === undefined && goneForMs !== undefined ? { goneForMs } : {};
      this.#tell(phase === 'begin' ? 'lost' : 'back', stream, { ...gone, ...flapping });
    });
  }

  /** A stream's node is known. */
  opened(stream: RosterStream): void {
    this.#streams.set(stream.id, { ...stream, ackTookMs: 0, ackedAt: undefined });
    const before = this.#byNode.get(stream.node) ?? 0;
    this.#byNode.set(stream.node, before + 1);
    const gone = this.#disconnected.get(stream.node);
    this.#disconnected.delete(stream.node);
    this.#refused.clear(stream.node);
    this.#metrics.proxies.inc({ role: stream.role }, 1);
    if (before > 0 || !isGateway(stream)) this.#log('proxy connected', stream);
    else if (gone === undefined) this.#tell('connected', stream, {});
    else {
      const goneForMs = Math.round(this.#clock.now() - gone.at);
      this.#gateways.end(stream.node, { stream, goneForMs });
    }
  }

  /** A stream has ended; its node is disconnected with its last. */
  closed(stream: Pick<RosterStream, 'id'>): void {
    const known = this.#streams.get(stream.id);
    if (known === undefined || !this.#streams.delete(stream.id)) return;
    const left = (this.#byNode.get(known.node) ?? 1) - 1;
    if (left > 0) this.#byNode.set(known.node, left);
    else {
      this.#byNode.delete(known.node);
      this.#disconnected.set(known.node, { stream: known, at: this.#clock.now() });
      if (this.#disconnected.size > disconnectedLimits.nodesMax)
        this.#disconnected.delete(this.#disconnected.keys().next().value as string);
    }
    this.#metrics.proxies.inc({ role: known.role }, -1);
    if (left > 0 || !isGateway(known)) this.#log('proxy gone', known);
    else this.#gateways.begin(known.node, { stream: known });
  }

  /** A stream was refused; `peer.address` is `address:port`. */
  refused({ peer, node, error }: { readonly peer: { readonly address: string } } & Refused): void {
    this.#metrics.streamsRefused.inc({ code: error.code });
    this.#refused.record(peer.address, node, error.message);
  }

  /** A connection or a stream was refused by an admission limit; `peer` is `address:port`. */
  turnedAway({
    peer,
    limit,
    error,
  }: { readonly peer: string; readonly limit: string } & Pick<Refused, 'error'>): void {
    this.#metrics.turnedAway.inc({ limit });
    this.#refused.record(peer, undefined, error.message);
  }

  /** Recently refused streams, the last first. */
  refusedStreams(): readonly RefusedStreams[] {
    return this.#refused.list();
  }

  /** Sizes of the collections keyed by names from clients. */
  sizes(): Readonly<Record<string, number>> {
    return { goneNodes: this.disconnectedNodes().length, refusedClients: this.refusedStreams().length };
  }

  #log(message: string, { node, role, peer }: RosterStream): void {
    this.#logger.info(message, { node, role, peer });
  }

  #tell(
    phase: 'lost' | 'back' | 'connected',
    { node, role, peer }: RosterStream,
    more: Partial<Flapping> & { readonly goneForMs?: number },
  ): void {
    this.#events.note({ kind: 'gateway', phase, node: cut(node), role, peer, ...more });
  }

  /** A stream has ACKed an event that was read at `eventAt`. */
  acked(id: number, eventAt: number, ackedAt: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.ackTookMs = ackedAt - eventAt;
    stream.ackedAt = ackedAt;
  }

  /** Connected streams, the oldest first. */
  connected(): Iterable<RosterStream> {
    return this.#streams.values();
  }

  lastAck(id: number): LastAck | undefined {
    const { ackTookMs: tookMs = 0, ackedAt: at } = this.#streams.get(id) ?? {};
    return at === undefined ? undefined : { tookMs, at };
  }

  /** Disconnected nodes, their scopes, and how long they have been that. */
  *gone(): Iterable<{ readonly node: string; readonly scope: NodeScope; readonly goneForMs: number }> {
    const now = this.#clock.now();
    for (const { stream, at } of this.#disconnected.values())
      if (now - at <= disconnectedLimits.keptMs)
        yield { node: stream.node, scope: stream.scope, goneForMs: now - at };
  }

  /** Disconnected nodes, the last first. */
  disconnectedNodes(): readonly DisconnectedNode[] {
    const now = this.#clock.now();
    for (const [node, { at }] of this.#disconnected)
      if (now - at > disconnectedLimits.keptMs) this.#disconnected.delete(node);
    return [...this.#disconnected.values()].reverse().map(({ stream, at }) => ({
      ...{ id: stream.node, role: stream.role, idc: stream.idc, goneForMs: now - at },
    }));
  }
}

/** Gateways are few, and each counts: the streams of others are lines of the log alone. */
function isGateway({ role }: RosterStream): boolean {
  return role === 'ingress' || role === 'egress';
}

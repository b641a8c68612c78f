import { type Clock, systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { shed } from './admission/shed.ts';
import type { Cause } from './cause.ts';
import type { ResourceChange } from './change.ts';
import { checkLimits } from './check-limits.ts';
import { EncodedResource, type ResourceJson } from './codec/codec.ts';
import type { Concern, Hooks, Node, Peer, ResourceDifference, Stats, StreamStatus } from './events.ts';
import { type Applied, Hub } from './hub.ts';
import type { Moved } from './move/admitted.ts';
import { clientStatus } from './services/client-status.ts';
import { discovery } from './services/discovery.ts';
import { endStreams } from './services/end-streams.ts';
import { Health, healthService } from './services/health.ts';
import { reflection, reflectionServices } from './services/reflection.ts';
import { resourcesOfStream, type StreamResource } from './services/stream-resources.ts';
import { subscribesToOne } from './services/subscribed-streams.ts';
import { Answering } from './services/tool-calls.ts';
import {
  type Levels,
  type Listening,
  listen,
  type Services,
  type XdsLimits,
} from './transport/grpc-server.ts';
import type { TlsOptions } from './transport/listener.ts';

export { MeshError, type MeshErrorCode } from '../base/error.ts';
export type { LogFields, Logger } from '../base/log.ts';
export { sharedMessage } from '../base/shared-message.ts';
export type { AdmissionLimit, TurnedAway } from './admission/admission-limits.ts';
export type { Cause } from './cause.ts';
export type { ResourceChange } from './change.ts';
export {
  type EncodedResource,
  encodeResource,
  encodeResourceApart,
  type ResourceJson,
} from './codec/codec.ts';
export type {
  Ack,
  Concern,
  Hooks,
  Nack,
  NackStatus,
  Node,
  Peer,
  RefusedStream,
  ResourceDifference,
  Stats,
  StreamInfo,
  StreamStatus,
  TypeStatus,
} from './events.ts';
export type { Applied } from './hub.ts';
export type { Moved } from './move/admitted.ts';
export type { StreamResource } from './services/stream-resources.ts';
export type { Levels, XdsLimits } from './transport/grpc-server.ts';
export type { TlsOptions } from './transport/listener.ts';

/** Options of an xDS server. */
export interface XdsServerOptions extends Hooks {
  /**
   * The class whose resources a node gets; by default its `id`, so that each node is a class. A node is
   * refused if this returns undefined or throws a MeshError.
   */
  readonly classOf?: (node: Node, peer: Peer) => string | undefined;
  /**
   * Whether a node may have the resources of a class, by its certificate: throws MeshError, such as
   * `forbidden`, if not. Asked when a stream begins, after `classOf`, and for each stream that `move` names.
   */
  readonly admits?: (node: Node, peer: Peer, nodeClass: string) => void;
  /** False: no answers before `release()`. Default true. */
  readonly ready?: boolean;
  readonly log?: Logger;
  readonly clock?: Clock;
  /**
   * Jitter of the pauses before a refused resource is offered again, and of ages of connections. By default
   * seeded with the time.
   */
  readonly random?: Random;
  /** The longest time that a change waits while the server is busy pushing, in milliseconds. Default 50. */
  readonly holdoffMsMax?: number;
  /** How long other types of a stream wait for an ACK or NACK, in milliseconds. Default 5,000. */
  readonly answerWaitMsMax?: number;
  /**
   * Given, a new cluster's endpoints and a new scope's route table are sent to Delta clients with what names
   * them, before they are asked for: a round trip less each. It says of a table whether it may also be sent
   * with the clusters that it names, before their answers: true if nothing serves its requests until it is
   * there, so that there is nothing to break. Default: nothing is sent before it is asked for.
   */
  readonly sendAhead?: (nodeClass: string, typeUrl: string, name: string) => boolean;
  /**
   * False: no server reflection and no client status (CSDS), which show every client's resources to whoever
   * reaches the port. Default true.
   */
  readonly tools?: boolean;
  /** Limits after which clients are delayed or refused. */
  readonly limits?: XdsLimits;
  /**
   * Connections end when they are so old, in milliseconds, at random between half of it and all of it: their
   * clients connect again, and are spread over all servers behind one address. Default: at no age.
   */
  readonly connectionAgeMsMax?: number;
  /**
   * True: V8 is asked to collect young memory after each 4 MiB received, which makes long ACKs cheaper.
   * `listen` then sets V8's flag `--expose-gc` for a moment, unless the process has it. Default false: no
   * flag of the process is touched.
   */
  readonly collectYoungMemory?: boolean;
}

/**
 * An xDS server: State of the World and Delta, aggregated (ADS) or by each type's own service; resources by
 * node class.
 */
export interface XdsServer {
  /**
   * Listens on `address` (`127.0.0.1:0`), with TLS if given; resolves to the port. Throws MeshError
   * 'unavailable' if it cannot.
   */
  listen(address: string, tls?: TlsOptions): Promise<number>;
  /**
   * Takes another certificate, key and authorities for all addresses with TLS: new connections get them,
   * existing ones stay. Throws MeshError 'invalid' if they cannot be used, and then changes nothing.
   */
  updateTls(tls: TlsOptions): void;
  /** Ends streams (`StreamInfo.id`) with an error that their clients see. Their clients may come again. */
  end(streams: Iterable<number>, error: MeshError): void;
  /**
   * Changes resources of a class, all or none. Changes of one task are one push, in the order that xDS needs.
   * `cause` is returned in `Ack.causes` as the same object; default: a new one, of now. The first call
   * creates the class, with `[]` an empty one. Resource objects must not be changed afterwards; those of
   * `encodeResource` need not be kept as JSON. Throws MeshError 'invalid', with the field's path, and then
   * changes nothing.
   */
  apply(nodeClass: string, changes: readonly ResourceChange[], cause?: Cause): Applied;
  /** Puts resources, replacing those of the same type and name. See `apply`. */
  upsert(nodeClass: string, resources: readonly (ResourceJson | EncodedResource)[], cause?: Cause): Applied;
  /** Removes resources of a type by name. See `apply`. */
  remove(nodeClass: string, typeUrl: string, names: readonly string[], cause?: Cause): Applied;
  /** Replaces all resources of a type. See `apply`. */
  set(
    nodeClass: string,
    typeUrl: string,
    resources: readonly (ResourceJson | EncodedResource)[],
    cause?: Cause,
  ): Applied;
  hasClass(nodeClass: string): boolean;
  classNames(): string[];
  /** Frees a class without streams. Throws MeshError 'conflict' if it has any. */
  dropClass(nodeClass: string): void;
  /**
   * Moves streams (`StreamInfo.id`) to another class without reconnecting them; those that have ended are
   * left out, and those of a `Fetch…`. They are of the class at once, and are sent what differs, a few
   * streams at a time, in the order and by the rules of any change: `unconfirmed(revision)` names those that
   * have not ACKed it, and `Ack.causes` has `cause`. Throws MeshError 'not-found' if the class does not
   * exist, and then moves nothing. Streams that `admits` refuses stay in their class, and are in
   * `Moved.refused`.
   */
  move(streams: Iterable<number>, nodeClass: string, cause?: Cause): Moved;
  /**
   * Holds back answers to a class, which need not exist yet, until the returned function is called: for
   * clients that must start after others. Streams that were answered before keep their resources.
   */
  hold(nodeClass: string): () => void;
  /** Starts answering, after `ready: false`. */
  release(): void;
  /**
   * Whether new clients are welcome, as `grpc.health.v1` reports: NOT_SERVING while they are not. Connected
   * ones are served as before. Default true.
   */
  welcome(isWelcome: boolean): void;
  /** Every stream but those of a `Fetch…`, and the state of each of its types. */
  status(): StreamStatus[];
  /**
   * The streams that have not yet ACKed all that concerns them up to `Applied.revision`, or what a `Concern`
   * names of that.
   */
  unconfirmed(what: number | Concern): StreamStatus[];
  /** Whether a stream of a class subscribes to a resource, by name or with all. */
  isSubscribed(nodeClass: string, typeUrl: string, name: string): boolean;
  /** Whether `unconfirmed(what)` is empty; cheaper. */
  isConfirmed(what: number | Concern): boolean;
  /**
   * The resources of a stream (`StreamInfo.id`), in sync or not, of one type (`CDS`) or of all; empty if
   * there is none of this id.
   */
  resources(stream: number, type?: string): StreamResource[];
  /** Resources of which the stream's version differs (`StreamInfo.id`); empty when in sync. */
  differences(stream: number): ResourceDifference[];
  readonly stats: Readonly<Stats>;
  /** Levels of each listening address. */
  levels(): Levels[];
  /** Sizes of the collections keyed by names from clients. */
  kept(): Readonly<Record<string, number>>;
  /**
   * Hands clients over to other servers: stops accepting, and closes connections with streams one after
   * another, 5 ms apart, or closer to end within `overMs`. The remaining ones are served as before. `close`
   * follows.
   */
  handOver(overMs: number): Promise<void>;
  /**
   * Makes room in memory: refuses, with RESOURCE_EXHAUSTED, `why` and more words, the streams of a kind of
   * node of the address that has most kinds to itself, 4 at least, or 64 where it is not urgent; else, where
   * it `isUrgent`, the stream with most names that no other subscribes to, 1,000 at least, else one whose
   * request is half done. Names that are kept for the next client that says the same are forgotten. False
   * where there is nothing.
   */
  shed(why: string, isUrgent: boolean): boolean;
  /**
   * Lets requests that ask for much, and what is left of those that are worked on, wait until it is called
   * with false: what they need is memory.
   */
  holdLarge(isHeld: boolean): void;
  /** Ends all streams; connections still open after `graceMs` (default 1,000) are destroyed. */
  close(graceMs?: number): Promise<void>;
}

/** Makes an xDS server; see docs/xds.md. Throws MeshError 'invalid' for unknown or wrong `limits`. */
export function createXdsServer(options: XdsServerOptions = {}): XdsServer {
  checkLimits(options.limits ?? {});
  const { clock = systemClock, random = seededRandom(clock.wall()) } = options;
  const age = ageOf(options, clock, random);
  const hub = createHub(options, clock, random);
  const { services, tellHealth, calls } = serve(hub, options);
  const listening: Listening[] = [];
  const apply = (nodeClass: string, changes: readonly ResourceChange[], cause: Cause = { at: clock.now() }) =>
    hub.apply(nodeClass, changes, cause);
  return {
    stats: hub.stats,
    apply,
    async listen(address, tls) {
      const one = await listen(address, tls, clock, services, {
        ...(options.limits && { limits: options.limits }),
        ...{ age, collectYoungMemory: options.collectYoungMemory === true },
        turnedAway: (who) => hub.turnedAway(who),
      });
      listening.push(one);
      return one.port;
    },
    updateTls: (tls) => listening.forEach((one) => void one.updateTls(tls)),
    end: (streams, error) => endStreams(hub.sessions(), streams, error),
    upsert: (nodeClass, resources, cause) => apply(nodeClass, resources.map(upserted), cause),
    remove: (nodeClass, typeUrl, names, cause) => apply(nodeClass, removals(typeUrl, names), cause),
    set: (nodeClass, typeUrl, resources, cause) =>
      apply(nodeClass, replacing(hub.names(nodeClass, typeUrl), typeUrl, resources), cause),
    hasClass: (nodeClass) => hub.hasClass(nodeClass),
    classNames: () => hub.classNames(),
    dropClass: (nodeClass) => hub.dropClass(nodeClass),
    move: (streams, nodeClass, cause = { at: clock.now() }) => hub.move(streams, nodeClass, cause),
    hold: (nodeClass) => hub.hold(nodeClass),
    release() {
      hub.release();
      tellHealth({ released: true });
    },
    welcome: (isWelcome) => tellHealth({ welcome: isWelcome }),
    levels: () => listening.map((one) => one.levels()),
    kept: () => ({ ...hub.kept(), unreadBytes: calls.unreadBytes() }),
    status: () => hub.status(),
    isSubscribed: (...what) => subscribesToOne(hub.clients(), ...what),
    unconfirmed: (what) => hub.unconfirmed(what),
    isConfirmed: (what) => hub.isConfirmed(what),
    differences: (stream) => hub.differences(stream),
    resources: (stream, type) => resourcesOfStream(hub, stream, type),
    async handOver(overMs) {
      tellHealth({ open: false });
      await Promise.all(listening.map((one) => one.handOver(overMs)));
    },
    shed: (why, isUrgent) => shed(hub, why, isUrgent),
    holdLarge(isHeld) {
      for (const one of listening) one.holdLarge(isHeld);
    },
    async close(graceMs = 1_000) {
      tellHealth({ open: false });
      hub.close();
      await Promise.all(listening.splice(0).map((one) => one.close(graceMs)));
    },
  };
}

/** Throws MeshError 'invalid'. */
function ageOf({ connectionAgeMsMax: maxMs }: XdsServerOptions, clock: Clock, random: Random) {
  if (maxMs === undefined) return undefined;
  if (maxMs > 0) return { clock, random, maxMs };
  throw new MeshError('invalid', 'connectionAgeMsMax: must be a number of milliseconds above 0');
}

function createHub(options: XdsServerOptions, clock: Clock, random: Random): Hub {
  const { ready = true, holdoffMsMax = 50, answerWaitMsMax = 5_000, log = silentLogger } = options;
  return new Hub({
    ...{ clock, random, log, hooks: options, ready, holdoffMsMax, answerWaitMsMax },
    ...(options.sendAhead && { sendAhead: options.sendAhead }),
    ...(options.limits?.budget && { budget: options.limits.budget }),
    ...(options.admits && { admits: options.admits }),
  });
}

/** Conditions of the health service: SERVING if all are true. */
interface Serving {
  readonly released: boolean;
  readonly welcome: boolean;
  readonly open: boolean;
}

/** All services of the port. */
function serve(
  hub: Hub,
  options: XdsServerOptions,
): { readonly services: Services; readonly calls: Answering; tellHealth(now: Partial<Serving>): void } {
  const { ready = true, tools = true, classOf = (node: Node) => node.id } = options;
  const calls = new Answering();
  const discovered = discovery({ hub, classOf, ...(options.admits && { admits: options.admits }) });
  const asked = new Map([...(tools ? clientStatus(hub, calls) : [])]);
  const names = [...new Set([...discovered.keys(), ...asked.keys()].map(serviceOf))];
  const health = new Health(names, ready);
  let serving: Serving = { released: ready, welcome: true, open: true };
  const services = new Map([
    ...discovered,
    ...asked,
    ...health.services(),
    ...(tools ? reflection([...names, healthService, ...reflectionServices], calls) : []),
  ]);
  return {
    services,
    calls,
    tellHealth(now) {
      serving = { ...serving, ...now };
      health.set(serving.released && serving.welcome && serving.open);
    },
  };
}

/** `/SERVICE/METHOD` → `SERVICE`. */
function serviceOf(path: string): string {
  return path.slice(1, path.lastIndexOf('/'));
}

function removals(typeUrl: string, names: readonly string[]): ResourceChange[] {
  return names.map((name) => ({ remove: { typeUrl, name } }));
}

function upserted(upsert: ResourceJson | EncodedResource): ResourceChange {
  return { upsert };
}

/**
 * The changes that make `resources` the only ones of a type. Throws MeshError 'invalid' at one of another
 * type.
 */
function replacing(
  names: readonly string[],
  typeUrl: string,
  resources: readonly (ResourceJson | EncodedResource)[],
): ResourceChange[] {
  const other = resources.map(typeOf).find((type) => type !== typeUrl);
  if (other !== undefined) throw new MeshError('invalid', `set of ${typeUrl} was given a ${other}`);
  const keep = new Set(resources.map((resource) => nameIn(resource)));
  const gone = names.filter((name) => !keep.has(name));
  return [...resources.map(upserted), ...gone.map((name) => ({ remove: { typeUrl, name } }))];
}

function typeOf(resource: ResourceJson | EncodedResource): string {
  return resource instanceof EncodedResource ? resource.typeUrl : resource['@type'];
}

function nameIn(resource: ResourceJson | EncodedResource): unknown {
  const { name, cluster_name } = resource as { name?: unknown; cluster_name?: unknown };
  return cluster_name ?? name;
}

import { type Clock, systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { shown } from '../base/shown.ts';
import { decodeJson, type ResourceJson } from './codec.ts';
import { typePrefix } from './encode.ts';
import type { Concern, Hooks, Node, Peer, ResourceDifference, Stats, StreamStatus } from './events.ts';
import { type Applied, Hub, type ResourceChange } from './hub.ts';
import { messagePlan } from './schema.ts';
import { type Listening, listen, type Stream, type StreamHandler, type TlsOptions } from './server.ts';
import { Session } from './session.ts';
import { parseDeltaRequest, parseSotwRequest } from './wire.ts';

export type { LogFields, Logger } from '../base/log.ts';
export type { ResourceJson } from './codec.ts';
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
export type { Applied, ResourceChange } from './hub.ts';
export type { TlsOptions } from './server.ts';

/** How an xDS server is set up. All optional. */
export interface XdsServerOptions extends Hooks {
  /**
   * The class whose resources a node gets; by default its `id`, so that each node is a class of its own. A
   * node without a class (undefined), or for which this throws a MeshError, is refused.
   */
  readonly classOf?: (node: Node, peer: Peer) => string | undefined;
  /** False: no answer is given before `release()`. Default true. */
  readonly ready?: boolean;
  readonly log?: Logger;
  readonly clock?: Clock;
  /** For the pauses after which what was refused is offered again. By default seeded with the time. */
  readonly random?: Random;
  /** The longest time a change waits while the server is busy pushing, in milliseconds. Default 50. */
  readonly holdoffMsMax?: number;
  /** How long the other types of a stream wait for an ACK or NACK, in milliseconds. Default 5,000. */
  readonly answerWaitMsMax?: number;
}

/** An xDS server: State of the World and Delta ADS, resources by node class. */
export interface XdsServer {
  /**
   * Listens on `address` (`127.0.0.1:0`), with TLS if given; resolves to the port. Throws MeshError
   * 'unavailable' when it cannot.
   */
  listen(address: string, tls?: TlsOptions): Promise<number>;
  /**
   * Changes resources of a class, all or none. What is applied in one task is one push, in the order that
   * xDS needs. `at` is when the event that caused it was read (in the clock's `now`), and comes back in
   * `Ack.eventsAt`. The first call makes the class, with `[]` one without resources. Resource objects must
   * not be changed afterwards. Throws MeshError 'invalid', with the field's path, and then changes nothing.
   */
  apply(nodeClass: string, changes: readonly ResourceChange[], at?: number): Applied;
  /** Puts resources, replacing those of the same type and name. See `apply`. */
  upsert(nodeClass: string, resources: readonly ResourceJson[], at?: number): Applied;
  /** Removes resources of a type by name. See `apply`. */
  remove(nodeClass: string, typeUrl: string, names: readonly string[], at?: number): Applied;
  /** Makes these the resources of a type: others of that type are removed. See `apply`. */
  set(nodeClass: string, typeUrl: string, resources: readonly ResourceJson[], at?: number): Applied;
  hasClass(nodeClass: string): boolean;
  classNames(): string[];
  /** Frees a class without streams. Throws MeshError 'conflict' while it has some. */
  dropClass(nodeClass: string): void;
  /**
   * Keeps answers to a class back, before its first resources as well, until what it returns is called: for what must
   * not start before something else does. Streams that were answered before keep what they have.
   */
  hold(nodeClass: string): () => void;
  /** Lets answers out, where `ready: false` held them back. */
  release(): void;
  /** Every stream and where it stands with each type. */
  status(): StreamStatus[];
  /**
   * The streams that have not yet ACKed everything up to `Applied.revision` that concerns them, or of that what a
   * `Concern` names.
   */
  unconfirmed(what: number | Concern): StreamStatus[];
  /** Whether `unconfirmed(what)` is empty; cheaper. */
  isConfirmed(what: number | Concern): boolean;
  /** What the stream of this id (`StreamInfo.id`) has not, or should not have any more; empty when in sync. */
  differences(stream: number): ResourceDifference[];
  readonly stats: Readonly<Stats>;
  /** Ends all streams; what is not gone after `graceMs` (default 1,000) is cut. */
  close(graceMs?: number): Promise<void>;
}

/** Makes an xDS server; see docs/xds.md. */
export function createXdsServer(options: XdsServerOptions = {}): XdsServer {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const { ready = true, holdoffMsMax = 50, answerWaitMsMax = 5_000 } = options;
  const random = options.random ?? seededRandom(clock.wall());
  const hub = new Hub({ clock, random, log, hooks: options, ready, holdoffMsMax, answerWaitMsMax });
  const classOf = options.classOf ?? ((node: Node) => node.id);
  const listening: Listening[] = [];
  let streams = 0;

  const openStream = (stream: Stream): StreamHandler => {
    let session: Session | undefined;
    // Of a node that is refused.
    let claimed: string | undefined;
    const identify = (bytes: Buffer | undefined): Session => {
      const node = readNode(bytes);
      claimed = node.id ?? undefined;
      const nodeClass = classOf(node, stream.peer);
      if (nodeClass === undefined || nodeClass === '')
        throw new MeshError('invalid', `node '${node.id ?? ''}' is of no class that is served here`);
      streams += 1;
      const { protocol, peer } = stream;
      const info = { id: streams, node, nodeClass, protocol, peer };
      session = new Session(info, hub, stream);
      hub.join(session);
      stream.known();
      return session;
    };
    return {
      receive(bytes) {
        hub.stats.requests += 1;
        try {
          if (stream.protocol === 'sotw') {
            const request = parseSotwRequest(bytes, session?.lastNames());
            if (session?.knows(request.typeUrl) !== true) checkType(request.typeUrl);
            (session ?? identify(request.node)).receiveSotw(request);
          } else {
            const request = parseDeltaRequest(bytes);
            if (session?.knows(request.typeUrl) !== true) checkType(request.typeUrl);
            (session ?? identify(request.node)).receiveDelta(request);
          }
        } catch (reason) {
          stream.refuse(refusal(reason));
        }
      },
      refused(error) {
        const node = session?.info.node.id ?? claimed;
        log.warn('stream refused', { node, peer: stream.peer.address, error: error.message });
        hub.streamRefused({ peer: stream.peer, node, error });
      },
      closed() {
        if (session !== undefined) hub.leave(session);
      },
    };
  };
  const apply = (nodeClass: string, changes: readonly ResourceChange[], at = clock.now()) =>
    hub.apply(nodeClass, changes, at);
  return {
    stats: hub.stats,
    apply,
    async listen(address, tls) {
      const one = await listen(address, tls, clock, openStream);
      listening.push(one);
      return one.port;
    },
    upsert: (nodeClass, resources, at) =>
      apply(
        nodeClass,
        resources.map((upsert) => ({ upsert })),
        at,
      ),
    remove: (nodeClass, typeUrl, names, at) =>
      apply(
        nodeClass,
        names.map((name) => ({ remove: { typeUrl, name } })),
        at,
      ),
    set(nodeClass, typeUrl, resources, at) {
      const other = resources.find((resource) => resource['@type'] !== typeUrl);
      if (other !== undefined)
        throw new MeshError('invalid', `set of ${typeUrl} was given a ${other['@type']}`);
      const keep = new Set(resources.map((resource) => nameIn(resource)));
      const gone = hub.names(nodeClass, typeUrl).filter((name) => !keep.has(name));
      const removals = gone.map((name) => ({ remove: { typeUrl, name } }));
      return apply(nodeClass, [...resources.map((upsert) => ({ upsert })), ...removals], at);
    },
    hasClass: (nodeClass) => hub.hasClass(nodeClass),
    classNames: () => hub.classNames(),
    dropClass: (nodeClass) => hub.dropClass(nodeClass),
    hold: (nodeClass) => hub.hold(nodeClass),
    release: () => hub.release(),
    status: () => hub.status(),
    unconfirmed: (what) => hub.unconfirmed(what),
    isConfirmed: (what) => hub.isConfirmed(what),
    differences: (stream) => hub.differences(stream),
    async close(graceMs = 1_000) {
      hub.close();
      await Promise.all(listening.splice(0).map((one) => one.close(graceMs)));
    },
  };
}

function nameIn(resource: ResourceJson): unknown {
  const { name, cluster_name } = resource as { name?: unknown; cluster_name?: unknown };
  return cluster_name ?? name;
}

/** Why a stream is refused, fit for its trailers and the log: what a client wrote may be quoted in it. */
function refusal(reason: unknown): MeshError {
  const { code, message, cause } = MeshError.from(reason);
  return new MeshError(code, shown(message, refusalBytesMax), { cause });
}

const refusalBytesMax = 1_024;
// An Envoy sends some 30 KB, most of it the names of its extensions.
const nodeBytesMax = 2 ** 20;
const nodeIdBytesMax = 512;

/** Reads the node of a first request. Throws MeshError 'invalid' when there is none, or none that can be told from others. */
function readNode(bytes: Buffer | undefined): Node {
  if (bytes === undefined)
    throw new MeshError('invalid', 'the first request of a stream must have a node (node.id, node.cluster)');
  if (bytes.length > nodeBytesMax)
    throw new MeshError('invalid', `the node has ${bytes.length} bytes: at most ${nodeBytesMax} are read`);
  const { extensions: _, ...node } = decodeJson('envoy.config.core.v3.Node', bytes) as Node;
  const { id = '' } = node;
  if (id === '') throw new MeshError('invalid', 'the node has no id');
  // It names the node in logs, tables and metrics.
  if (shown(id, nodeIdBytesMax) !== id)
    throw new MeshError(
      'invalid',
      `node.id must be at most ${nodeIdBytesMax} printable bytes: ${shown(id, 64)}`,
    );
  return node;
}

/**
 * Refuses a type that this server could never serve, by ending the stream. Ignoring it would leave the
 * client waiting for its fetch timeout, or for ever, with nobody told why.
 */
function checkType(typeUrl: string): void {
  const known = typeUrl.startsWith(typePrefix) && messagePlan(typeUrl.slice(typePrefix.length)) !== undefined;
  if (!known)
    throw new MeshError(
      'unsupported',
      `type URL '${typeUrl}' is not served: it is not in Envoy's v3 API here`,
    );
}

import { MeshError } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import { decodeJson } from '../codec/codec.ts';
import { typePrefix } from '../codec/encode.ts';
import type { Node, Peer, StreamInfo } from '../events.ts';
import type { Hub } from '../hub.ts';
import { isResourceType, ruleOf } from '../resource-types.ts';
import type { XdsVariant } from '../respond/respond.ts';
import type { Slices } from '../slices.ts';
import { Session } from '../stream/session.ts';
import type { SessionStream } from '../stream/session-host.ts';
import type { Services, Stream, StreamHandler } from '../transport/grpc-server.ts';
import {
  type DeltaRequest,
  type Reading,
  readDeltaRequest,
  readSotwRequest,
  type SotwRequest,
} from '../wire/discovery-messages.ts';
import { type DiscoveryMethod, discoveryMethods } from './discovery-methods.ts';
import { refusal } from './tool-calls.ts';

/** What discovery needs from the server. */
interface DiscoveryOptions {
  readonly hub: Hub;
  /** As `XdsServerOptions.classOf`. */
  classOf(node: Node, peer: Peer): string | undefined;
  /** As `XdsServerOptions.admits`. */
  admits?(node: Node, peer: Peer, nodeClass: string): void;
}

/** The handlers of all discovery methods by path. */
export function discovery(options: DiscoveryOptions): Services {
  let streams = 0;
  const nextId = () => {
    streams += 1;
    return streams;
  };
  return new Map(
    discoveryMethods.map((method) => [method.path, (stream) => open(stream, method, options, nextId)]),
  );
}

function open(
  stream: Stream,
  method: DiscoveryMethod,
  options: DiscoveryOptions,
  nextId: () => number,
): StreamHandler {
  return new DiscoveryStream(stream, method, options, nextId);
}

class DiscoveryStream implements StreamHandler {
  readonly #stream: Stream;
  readonly #protocol: XdsVariant;
  readonly #only: string | undefined;
  readonly #once: true | undefined;
  readonly #hub: Hub;
  readonly #classOf: (node: Node, peer: Peer) => string | undefined;
  readonly #admits: DiscoveryOptions['admits'];
  readonly #nextId: () => number;
  #session: Session | undefined;
  // The id of a node that is refused.
  #claimed: string | undefined;
  /** Of one that ends with the first response: the end of what the client says ends nothing. */
  readonly halfClosed?: () => void;
  readonly #receiveSotw = (said: SotwRequest): void => {
    const request = this.#typed(said);
    if (this.#once && request.names.length === 0 && !ruleOf(request.typeUrl).wildcard)
      throw new MeshError('invalid', 'a request for resources of this type must name them');
    (this.#session ?? this.#identify(request.node)).receiveSotw(request);
  };
  readonly #receiveDelta = (said: DeltaRequest): void => {
    const request = this.#typed(said);
    (this.#session ?? this.#identify(request.node)).receiveDelta(request);
  };

  constructor(
    stream: Stream,
    { protocol, only, once }: DiscoveryMethod,
    { hub, classOf, admits }: DiscoveryOptions,
    nextId: () => number,
  ) {
    this.#stream = stream;
    this.#protocol = protocol;
    this.#only = only;
    this.#once = once;
    this.#hub = hub;
    this.#classOf = classOf;
    this.#admits = admits;
    this.#nextId = nextId;
    if (once) this.halfClosed = () => {};
  }

  receive(bytes: Buffer<ArrayBufferLike>): void {
    this.#hub.stats.requests += 1;
    try {
      if (this.#protocol === 'sotw') {
        const lastNames = this.#session?.subscriptions.map(({ sub }) => sub.lastNames);
        this.#take(readSotwRequest(bytes, lastNames), this.#receiveSotw);
      } else this.#take(readDeltaRequest(bytes), this.#receiveDelta);
    } catch (reason) {
      this.#stream.refuse(refusal(reason));
    }
  }

  refused(error: MeshError): void {
    const node = this.#session?.info.node.id ?? this.#claimed;
    this.#hub.streamRefused({ peer: this.#stream.peer, node, error });
  }

  closed(): void {
    if (this.#session !== undefined) this.#hub.leave(this.#session);
  }

  #identify(bytes: Buffer | undefined): Session {
    const node = readNode(bytes);
    this.#claimed = node.id ?? undefined;
    const nodeClass = this.#classOf(node, this.#stream.peer);
    if (nodeClass === undefined || nodeClass === '')
      throw new MeshError('invalid', `node '${node.id ?? ''}' has no class that is served here`);
    const { peer } = this.#stream;
    this.#admits?.(node, peer, nodeClass);
    const info: StreamInfo = {
      id: this.#nextId(),
      node,
      nodeClass,
      protocol: this.#protocol,
      ...(this.#only && { only: this.#only }),
      ...(this.#once && { once: this.#once }),
      peer,
    };
    this.#session = new Session(info, this.#hub, this.#once ? answeredOnce(this.#stream) : this.#stream);
    this.#hub.join(this.#session, bytes?.length);
    this.#stream.known();
    return this.#session;
  }

  #typed<R extends { readonly typeUrl: string }>(request: R): R {
    const typeUrl = typeOf(request.typeUrl, this.#only);
    if (this.#session?.knows(typeUrl) !== true) checkType(typeUrl);
    return typeUrl === request.typeUrl ? request : { ...request, typeUrl };
  }

  #take<R>(reading: Reading<R>, receive: (request: R) => void): void {
    // Enough for the names of a State of the World ACK.
    for (let steps = 0; steps < stepsAtOnce; steps += 1)
      if (reading.step(stepBytes)) {
        receive(reading.request());
        return;
      }
    this.#stream.inSlices(this.#takeSlowly(reading, receive));
  }

  *#takeSlowly<R>(reading: Reading<R>, receive: (request: R) => void): Slices {
    try {
      while (!reading.step(stepBytes)) yield;
      receive(reading.request());
    } catch (reason) {
      this.#stream.refuse(refusal(reason));
    }
  }
}

// Bytes of a request, some hundred names, that are read before other streams have their turn.
const stepBytes = 8 * 1024;
const stepsAtOnce = 4;

/** Ends a stream after its first response. */
function answeredOnce(stream: Stream): SessionStream {
  return {
    unreadBytes: () => stream.unreadBytes(),
    whenRead: (fn) => stream.whenRead(fn),
    refuse: (error) => stream.refuse(error),
    inSlices: (work) => stream.inSlices(work),
    write(bytes) {
      stream.write(bytes);
      // Deferred: the session is writing.
      queueMicrotask(() => stream.end());
    },
  };
}

/**
 * The type of a request. On a type's own service it may be omitted ("implicit in requests made via singleton
 * xDS APIs", envoy/service/discovery/v3/discovery.proto), and no other is allowed. Throws MeshError
 * 'invalid'.
 */
function typeOf(said: string, only: string | undefined): string {
  if (only === undefined || said === only) return said;
  if (said === '') return only;
  throw new MeshError('invalid', `type URL '${said}' is not served by this service, which is for '${only}'`);
}

// An Envoy's node has some 30 KB, most of it names of extensions.
const nodeBytesMax = 2 ** 20;
// The node is decoded in one piece, which takes some milliseconds at this limit. An Envoy sends some 3,000
// fields; 5,000 hosts in `dependsOn` are two each.
const nodeFieldsMax = 16_000;
const nodeIdBytesMax = 512;

/** Reads the node of a first request. Throws MeshError 'invalid' if it is missing or has no usable id. */
function readNode(bytes: Buffer | undefined): Node {
  if (bytes === undefined)
    throw new MeshError('invalid', 'the first request of a stream must have a node (node.id, node.cluster)');
  if (bytes.length > nodeBytesMax)
    throw new MeshError('invalid', `the node has ${bytes.length} bytes: at most ${nodeBytesMax} are read`);
  const { extensions: _, ...node } = decodeJson('envoy.config.core.v3.Node', bytes, nodeFieldsMax) as Node;
  const { id = '' } = node;
  if (id === '') throw new MeshError('invalid', 'the node has no id');
  // The id appears in logs, tables and metrics.
  if (safeExcerpt(id, nodeIdBytesMax) !== id)
    throw new MeshError(
      'invalid',
      `node.id must be at most ${nodeIdBytesMax} printable bytes: ${safeExcerpt(id, 64)}`,
    );
  return node;
}

/**
 * Ends a stream that requests anything but a resource type. Ignoring the request would leave the client
 * waiting for its fetch timeout, or for ever, without a reason.
 */
function checkType(typeUrl: string): void {
  if (typeUrl === '')
    throw new MeshError('invalid', 'the request names no type (type_url): on ADS each request must');
  if (!isResourceType(typeUrl))
    throw new MeshError(
      'unsupported',
      `type URL '${typeUrl}' is not served: it is not a resource type that Envoy discovers (${typePrefix}envoy.config.cluster.v3.Cluster is one)`,
    );
}

import { MeshError } from '../../base/error.ts';
import type { Services, Stream, StreamHandler } from '../transport/grpc-server.ts';
import { eachChunk, numberField, readText } from '../wire/varint.ts';
import { answering, once } from './tool-calls.ts';

/** The service that load balancers and orchestrators ask (gRPC Health Checking Protocol). */
export const healthService = 'grpc.health.v1.Health';

// HealthCheckResponse.ServingStatus, grpc/health/v1/health.proto.
const serving = numberField(1, 1);
const notServing = numberField(1, 2);
const unknownService = numberField(1, 3);

/** Reports whether the server serves: the same for itself (the name '') and for each of its services. */
export class Health {
  readonly #names: ReadonlySet<string>;
  readonly #watchers = new Set<Stream>();
  #isServing: boolean;

  constructor(names: Iterable<string>, isServing: boolean) {
    this.#names = new Set(['', ...names]);
    this.#isServing = isServing;
  }

  /** Notifies watchers when it changes. */
  set(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const stream of this.#watchers) stream.write(this.#answer());
  }

  /** The handlers by path. */
  services(): Services {
    return new Map([
      [`/${healthService}/Check`, (stream) => this.#checkOnce(stream)],
      [`/${healthService}/Watch`, (stream) => this.#watch(stream)],
    ]);
  }

  #answer(): Buffer {
    return this.#isServing ? serving : notServing;
  }

  #checkOnce(stream: Stream): StreamHandler {
    const take = (request: Buffer) => {
      stream.write(this.#check(readName(request)));
      stream.end();
    };
    return once(stream, answering(stream, take));
  }

  #check(name: string): Buffer {
    if (!this.#names.has(name)) throw new MeshError('not-found', `there is no service '${name}' here`);
    return this.#answer();
  }

  #watch(stream: Stream): StreamHandler {
    let isAsked = false;
    const take = (request: Buffer) => {
      // A second request is refused: a client that reads nothing could have any number of answers buffered.
      if (isAsked)
        throw new MeshError('invalid', 'a Watch takes one request: watch another service by another call');
      isAsked = true;
      const known = this.#names.has(readName(request));
      // By the protocol an unknown service may be registered later; here none is.
      stream.write(known ? this.#answer() : unknownService);
      if (known) this.#watchers.add(stream);
    };
    const requests = answering(stream, take);
    return {
      receive: (bytes) => requests.receive(bytes),
      halfClosed() {},
      closed: () => void this.#watchers.delete(stream),
    };
  }
}

function readName(request: Buffer): string {
  let name = '';
  eachChunk(request, 'a health check', (id, cursor) => {
    if (id === 1) name = readText(cursor);
    return id === 1;
  });
  return name;
}

import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { decodeJson } from '../../../src/xds/codec/codec.ts';
import { methods } from '../attacks/call.ts';

/** A request that passed, as far as tests look at it. */
export interface RelayedRequest {
  readonly type_url: string;
  /** Delta: what the client has, when it connects. */
  readonly initial_resource_versions?: Readonly<Record<string, string>>;
}

/** A response that passed, or was withheld. */
export interface RelayedResponse {
  readonly type_url: string;
  readonly resources?: readonly unknown[];
}

/** Stands between clients and ADS servers, and loses what it is told to. */
export interface Relay {
  readonly port: number;
  /** What has passed on the newest stream. */
  readonly requests: readonly RelayedRequest[];
  readonly responses: readonly RelayedResponse[];
  /** Responses of this type do not arrive from now on, on the streams of now. */
  withhold(typeUrl: string): void;
  /** Ends the streams; new ones go to the server at this port. */
  moveTo(port: number): void;
  close(): void;
}

const bytes = (buffer: Buffer) => buffer;

/** Starts it in front of the server at `to`. */
export async function startRelay(protocol: keyof typeof methods, to: number): Promise<Relay> {
  const message = `envoy.service.discovery.v3.${protocol === 'delta' ? 'Delta' : ''}Discovery`;
  const cuts = new Set<() => void>();
  let target = to;
  let withheld: string | undefined;
  let requests: RelayedRequest[] = [];
  let responses: RelayedResponse[] = [];
  const relay = (call: ServerDuplexStream<Buffer, Buffer>) => {
    const [asked, got]: [RelayedRequest[], RelayedResponse[]] = [[], []];
    [requests, responses] = [asked, got];
    const client = new Client(`127.0.0.1:${target}`, credentials.createInsecure());
    const upstream = client.makeBidiStreamRequest(methods[protocol], bytes, bytes);
    const cut = () => {
      cuts.delete(cut);
      upstream.cancel();
      client.close();
    };
    const cutBoth = () => {
      cut();
      cuts.delete(cutBoth);
      call.emit('error', { code: 14, details: 'cut' });
    };
    cuts.add(cutBoth);
    upstream.on('error', () => {});
    call.on('error', () => {}).on('cancelled', cut);
    call.on('data', (request: Buffer) => {
      asked.push(decodeJson(`${message}Request`, request) as unknown as RelayedRequest);
      upstream.write(request);
    });
    upstream.on('data', (response: Buffer) => {
      const json = decodeJson(`${message}Response`, response) as unknown as RelayedResponse;
      got.push(json);
      if (json.type_url !== withheld) call.write(response);
    });
  };
  const server = new Server();
  const serialize = { requestSerialize: bytes, requestDeserialize: bytes };
  const deserialize = { responseSerialize: bytes, responseDeserialize: bytes };
  const path = methods[protocol];
  const method = { path, requestStream: true, responseStream: true, ...serialize, ...deserialize };
  server.addService({ relay: method }, { relay });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    port,
    get requests() {
      return requests;
    },
    get responses() {
      return responses;
    },
    withhold(typeUrl) {
      withheld = typeUrl;
    },
    moveTo(next) {
      target = next;
      withheld = undefined;
      for (const cut of [...cuts]) cut();
    },
    close: () => server.forceShutdown(),
  };
}

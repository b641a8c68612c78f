import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  type StatusObject,
} from '@grpc/grpc-js';
import { decodeJson, encodeJson } from '../../../src/xds/codec/codec.ts';
import { pushOrder } from '../../../src/xds/resource-types.ts';

/** A response, State of the World or Delta, in JSON form. */
export interface XdsResponse {
  readonly type_url: string;
  readonly version_info?: string;
  readonly system_version_info?: string;
  readonly nonce: string;
  readonly resources?: readonly Record<string, unknown>[];
  readonly removed_resources?: readonly string[];
}

/** A small ADS client that says exactly what it is told to, on a real connection. */
export interface XdsClient {
  /** Sends a request; `type` is Envoy's abbreviation or a type URL. The node goes with the first. */
  send(type: string, request?: object): void;
  /** The next response; rejects when the stream ends first. */
  next(): Promise<XdsResponse>;
  /** Accepts a response; SotW: with these names. */
  ack(response: XdsResponse, names?: readonly string[]): void;
  nack(response: XdsResponse, message: string, names?: readonly string[]): void;
  /** Stops reading, as a proxy that hangs does; and goes on. */
  pause(): void;
  resume(): void;
  /** Responses that came and that nobody has taken. */
  waiting(): number;
  /** Resolves with the status once the stream has ended. */
  readonly ended: Promise<StatusObject>;
  /** Ends the client's side, or cuts all. */
  end(): void;
  close(): void;
}

/** Abbreviation → type URL, for the types of the push order. */
export function typeUrl(type: string): string {
  return pushOrder.find((rule) => rule.short === type)?.url ?? type;
}

function adsPath(protocol: 'sotw' | 'delta'): string {
  const method = protocol === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
  return `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`;
}

/**
 * Connects to an xDS server on `address` and opens one stream, of ADS or of `path`. `node` undefined sends
 * none.
 */
export function connectXds(
  address: string,
  protocol: 'sotw' | 'delta',
  node: object | undefined,
  tls: ChannelCredentials = credentials.createInsecure(),
  path = adsPath(protocol),
): XdsClient {
  // A connection of its own, as each proxy has.
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 };
  const client = new Client(address, tls, options);
  const message = `envoy.service.discovery.v3.${protocol === 'delta' ? 'Delta' : ''}Discovery`;
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
    path,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
  );
  const arrived: XdsResponse[] = [];
  const waiting: { resolve(response: XdsResponse): void; reject(error: Error): void }[] = [];
  call.on('data', (bytes: Buffer) => {
    const response = decodeJson(`${message}Response`, bytes) as XdsResponse;
    const waiter = waiting.shift();
    if (waiter) waiter.resolve(response);
    else arrived.push(response);
  });
  call.on('error', () => {});
  const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
  let status: StatusObject | undefined;
  ended.then((end) => {
    status = end;
    for (const waiter of waiting.splice(0)) waiter.reject(new Error(`stream ended: ${end.details}`));
  });
  let first = true;
  const send = (type: string, request: object = {}) => {
    const whole = { type_url: typeUrl(type), ...(first && node ? { node } : {}), ...request };
    first = false;
    call.write(Buffer.from(encodeJson(`${message}Request`, whole)));
  };
  const answer = (response: XdsResponse, names: readonly string[] | undefined, more: object) => {
    const said =
      protocol === 'sotw' ? { version_info: response.version_info, resource_names: names ?? [] } : {};
    send(response.type_url, { ...said, response_nonce: response.nonce, ...more });
  };
  return {
    send,
    next: () =>
      new Promise((resolve, reject) => {
        const response = arrived.shift();
        if (response) resolve(response);
        else if (status) reject(new Error(`stream ended: ${status.details}`));
        else waiting.push({ resolve, reject });
      }),
    ack: (response, names) => answer(response, names, {}),
    nack: (response, text, names) => answer(response, names, { error_detail: { code: 13, message: text } }),
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    waiting: () => arrived.length,
    ended,
    end: () => call.end(),
    close() {
      call.cancel();
      client.close();
    },
  };
}

import type { envoy } from '../../../protos/gen/envoy.d.ts';
import { MeshError } from '../../base/error.ts';
import { decodeJson, type EncodedResource, encodeJson } from '../codec/codec.ts';
import type { Hub } from '../hub.ts';
import { ruleOf } from '../resource-types.ts';
import { each, type Slices } from '../slices.ts';
import type { Session } from '../stream/session.ts';
import type { Services } from '../transport/grpc-server.ts';
import { field, numberField } from '../wire/varint.ts';
import { type Inventory, inventoryOf, inventorySize } from './inventory.ts';
import { checkMatchers, matchesNode } from './node-match.ts';
import type { Answering } from './tool-calls.ts';

/** The Client Status Discovery Service. */
const clientStatusService = 'envoy.service.status.v3.ClientStatusDiscoveryService';

type ClientStatusRequest = envoy.service.status.v3.ClientStatusRequest;

/** Limits on one answer. */
const clientStatusLimits = {
  resourcesMax: 20_000,
  bytesMax: 32 * 2 ** 20,
} as const;

// ConfigStatus, envoy/service/status/v3/csds.proto: as the server sees it.
const status = { synced: 1, notSent: 2, stale: 3, error: 4 } as const;
// ClientResourceStatus, envoy/admin/v3/config_dump_shared.proto: as the client sees it.
const client = { requested: 1, doesNotExist: 2, acked: 3, nacked: 4 } as const;

/**
 * Serves the state of each client's resources: version, SYNCED, STALE, ERROR or NOT_SENT, and the message of
 * a NACK. Streams of one node on one connection are one client. Secrets are reported without content.
 */
export function clientStatus(hub: Hub, calls: Answering): Services {
  const answer = (request: Buffer, made: (bytes: number) => void) =>
    respond(
      hub,
      decodeJson('envoy.service.status.v3.ClientStatusRequest', request) as ClientStatusRequest,
      made,
    );
  return new Map([
    [`/${clientStatusService}/StreamClientStatus`, calls.conversation(answer)],
    [`/${clientStatusService}/FetchClientStatus`, calls.unary(answer)],
  ]);
}

function* respond(hub: Hub, request: ClientStatusRequest, made: (bytes: number) => void): Slices<Buffer> {
  const { node_matchers = [], exclude_resource_contents = false } = request;
  checkMatchers(node_matchers);
  const clients = new Map<string, Session[]>();
  let resources = 0;
  yield* each([...hub.clients()], (session) => {
    const { node, peer } = session.info;
    if (!matchesNode(node, node_matchers)) return;
    const key = `${peer.address} ${node.id}`;
    clients.set(key, [...(clients.get(key) ?? []), session]);
    for (const member of session.subscriptions) resources += inventorySize(member);
    if (resources > clientStatusLimits.resourcesMax)
      throw tooMuch(`${clientStatusLimits.resourcesMax} resources: match fewer nodes by node_matchers`);
  });
  const parts: Buffer[] = [];
  let bytes = 0;
  const add = (part: Buffer): Buffer => {
    bytes += part.length;
    if (bytes > clientStatusLimits.bytesMax)
      throw tooMuch(
        `${clientStatusLimits.bytesMax} bytes: match fewer nodes by node_matchers, or set exclude_resource_contents`,
      );
    made(bytes);
    return part;
  };
  for (const sessions of clients.values())
    parts.push(field(1, yield* clientConfig(hub, sessions, !exclude_resource_contents, add)));
  return Buffer.concat(parts);
}

function tooMuch(what: string): MeshError {
  return new MeshError('exhausted', `the answer would have more than ${what}`);
}

/** A ClientConfig; `add` counts its parts. */
function* clientConfig(
  hub: Hub,
  sessions: readonly Session[],
  contents: boolean,
  add: (part: Buffer) => Buffer,
): Slices<Buffer> {
  const [first] = sessions;
  const parts = [add(field(1, encodeJson('envoy.config.core.v3.Node', first?.info.node ?? {})))];
  yield;
  for (const { subscriptions } of sessions)
    for (const member of subscriptions)
      yield* each(inventoryOf(member), (one) => {
        parts.push(add(field(3, genericXdsConfig(hub, one, contents))));
      });
  return Buffer.concat(parts);
}

/** A ClientConfig.GenericXdsConfig. */
function genericXdsConfig(hub: Hub, one: Inventory, contents: boolean): Buffer {
  const { typeUrl, name, resource, difference, refusal, answeredAt } = one;
  const parts = [field(1, typeUrl), field(2, name)];
  if (resource !== undefined) parts.push(field(3, resource.version));
  const isTold = contents && resource !== undefined && !ruleOf(typeUrl).isSecret;
  if (isTold) parts.push(field(4, anyOf(resource)));
  if (answeredAt !== undefined) parts.push(field(5, timestamp(hub.wallOf(answeredAt))));
  parts.push(numberField(6, configStatus(one)), numberField(7, resourceStatus(one)));
  if (refusal !== undefined && difference?.state === 'refused') {
    // UpdateFailureState
    const failure = [
      ...(isTold ? [field(1, anyOf(resource))] : []),
      field(2, timestamp(hub.wallOf(refusal.refusedAt))),
      field(
        3,
        refusal.isCertain ? refusal.message : `of this or others that were sent with it: ${refusal.message}`,
      ),
      field(4, refusal.version ?? ''),
    ];
    parts.push(field(8, Buffer.concat(failure)));
  }
  return Buffer.concat(parts);
}

function configStatus({ resource, difference }: Inventory): number {
  if (difference === undefined) return resource === undefined ? status.notSent : status.synced;
  if (difference.state === 'refused') return status.error;
  return difference.state === 'waiting' && difference.sent === undefined ? status.notSent : status.stale;
}

function resourceStatus({ resource, difference }: Inventory): number {
  if (difference?.state === 'refused') return client.nacked;
  if (resource === undefined) return client.doesNotExist;
  const never =
    difference !== undefined && (difference.acked === undefined || difference.acked === 'unknown');
  return never ? client.requested : client.acked;
}

function anyOf({ typeUrl, bytes }: EncodedResource): Buffer {
  return Buffer.concat([field(1, typeUrl), field(2, bytes)]);
}

/** A google.protobuf.Timestamp, from milliseconds since the Unix epoch. */
function timestamp(ms: number): Uint8Array {
  return encodeJson('google.protobuf.Timestamp', new Date(ms).toISOString());
}

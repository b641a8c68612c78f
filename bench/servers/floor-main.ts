// The floor: what it costs to send 1 KB that is encoded already to every stream and to read the answers, with
// nothing of xDS in between. Kinds: grpcjs, http2 (gRPC's framing by hand, one buffer for all streams).
import http2, { type ServerHttp2Stream } from 'node:http2';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { field } from '../../src/xds/wire/varint.ts';
import { serveControl, serverFlags } from './control.ts';

const { port, http, kind } = serverFlags();
const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const streams = new Set<{ write(bytes: Buffer): void }>();
let version = 0;

if (kind === 'http2') serveHttp2();
else await serveGrpc();
serveControl(http, (_, address) => {
  const bytes = kind === 'http2' ? framed(message(address)) : message(address);
  for (const stream of streams) stream.write(bytes);
});

/** A response of about 1 KB with one cluster, `address` in its name. Without: an empty one. */
function message(address: string | undefined): Buffer {
  version += 1;
  const body = Buffer.concat([field(1, `c-${address}`), field(28, 'a'.repeat(900))]);
  const any = Buffer.concat([field(1, typeUrl), field(2, body)]);
  const resources = address === undefined ? [] : [field(2, any)];
  return Buffer.concat([
    field(1, String(version)),
    ...resources,
    field(4, typeUrl),
    field(5, String(version)),
  ]);
}

async function serveGrpc(): Promise<void> {
  const same = (bytes: Buffer) => bytes;
  const server = new Server();
  const method = {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const serve = (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.once('data', () => {
      call.write(message(undefined));
      streams.add(call);
    });
    call.on('data', () => {});
    call.on('end', () => call.end());
    for (const event of ['end', 'error', 'cancelled']) call.on(event, () => streams.delete(call));
  };
  server.addService({ stream: method } as never, { stream: serve } as never);
  await new Promise<void>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => (error ? reject(error) : resolve()));
  });
}

function serveHttp2(): void {
  const server = http2.createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
    stream.once('data', () => {
      stream.write(framed(message(undefined)));
      streams.add(stream);
    });
    stream.on('data', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => stream.end());
    stream.on('error', () => {});
    stream.on('close', () => streams.delete(stream));
  });
  server.on('sessionError', () => {});
  server.listen(port, '127.0.0.1', 8192);
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

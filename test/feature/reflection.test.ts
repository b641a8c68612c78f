import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import t, { type Test } from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { connectRaw } from '../support/clients/grpc-call.ts';

const { FileDescriptorProto } = descriptor as unknown as { FileDescriptorProto: protobuf.Type };

/** A client that knows nothing of the API but reflection's own messages. */
async function reflecting(t: Test, version: 'v1' | 'v1alpha') {
  const server = createXdsServer();
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const raw = connectRaw(address);
  t.teardown(async () => {
    raw.close();
    await server.close();
  });
  const root = await new protobuf.Root().load(
    new URL(`../../protos/grpc/reflection/${version}/reflection.proto`, import.meta.url).pathname,
  );
  const request = root.lookupType(`grpc.reflection.${version}.ServerReflectionRequest`);
  const response = root.lookupType(`grpc.reflection.${version}.ServerReflectionResponse`);
  return async (ask: object) => {
    const bytes = request.encode(request.fromObject({ host: 'h', ...ask })).finish();
    const { next, ended } = raw.stream(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      bytes,
    );
    const answer = response.toObject(response.decode(await next()));
    t.match(await ended, { code: 0 });
    return answer;
  };
}

t.test('no message refers to an undescribed one', async (t) => {
  const path = new URL('../../protos/gen/descriptors.json', import.meta.url);
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as { files: { proto: string }[] };
  const file = files.map(({ proto }) => FileDescriptorProto.decode(Buffer.from(proto, 'base64')));
  const { fromDescriptor } = protobuf.Root as unknown as { fromDescriptor(set: object): protobuf.Root };
  const root = fromDescriptor({ file });
  t.doesNotThrow(() => root.resolveAll());
  // Of its message one that stands in it is used, and of it nothing else.
  t.ok(root.lookupType('envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry'));
});

type File = { name: string; dependency?: string[]; package: string };

for (const version of ['v1', 'v1alpha'] as const)
  t.test(`${version}: every service is named, and described with all that it needs`, async (t) => {
    const ask = await reflecting(t, version);
    const listed = await ask({ listServices: '' });
    const services: string[] = listed.listServicesResponse.service.map(({ name }: { name: string }) => name);
    for (const name of [
      'envoy.service.discovery.v3.AggregatedDiscoveryService',
      'envoy.service.cluster.v3.ClusterDiscoveryService',
      'envoy.service.status.v3.ClientStatusDiscoveryService',
      'grpc.health.v1.Health',
      `grpc.reflection.${version}.ServerReflection`,
    ])
      t.ok(services.includes(name), name);
    t.equal(services.length, 14);
    const files = new Map<string, protobuf.Message>();
    const take = async (asked: object): Promise<void> => {
      const { fileDescriptorResponse, errorResponse } = await ask(asked);
      t.equal(errorResponse, undefined, JSON.stringify(asked));
      const [bytes] = fileDescriptorResponse.fileDescriptorProto;
      const proto = FileDescriptorProto.decode(bytes);
      const { name, dependency = [] } = proto as unknown as File;
      files.set(name, proto);
      for (const file of dependency) if (!files.has(file)) await take({ fileByFilename: file });
    };
    for (const fileContainingSymbol of services) await take({ fileContainingSymbol });
    // What stands in an Any is asked for as it comes.
    await take({ fileContainingSymbol: 'envoy.config.cluster.v3.Cluster' });
    await take({ fileContainingSymbol: 'envoy.config.cluster.v3.Cluster.CommonLbConfig' });
    // protobufjs resolves each name that a field or a method has, or throws.
    const root = (protobuf.Root as unknown as { fromDescriptor(set: object): protobuf.Root }).fromDescriptor({
      file: [...files.values()],
    });
    root.resolveAll();
    for (const name of services) t.ok(root.lookupService(name).methodsArray.length > 0, name);
    const type = root.lookupType('envoy.config.cluster.v3.Cluster');
    t.match(type.fields, { name: { id: 1 }, connectTimeout: { id: 4 } });
  });

t.test('a missing name is reported, and no extension is claimed', async (t) => {
  const ask = await reflecting(t, 'v1');
  t.match(await ask({ fileContainingSymbol: 'no.Such' }), {
    validHost: 'h',
    originalRequest: { fileContainingSymbol: 'no.Such' },
    errorResponse: { errorCode: 5, errorMessage: "there is no 'no.Such' here" },
  });
  t.match(await ask({ fileByFilename: 'no.proto' }), { errorResponse: { errorCode: 5 } });
  const any = 'google.protobuf.Any';
  t.same((await ask({ allExtensionNumbersOfType: any })).allExtensionNumbersResponse, { baseTypeName: any });
  t.match(await ask({ fileContainingExtension: { containingType: any, extensionNumber: 1 } }), {
    errorResponse: { errorCode: 5 },
  });
});

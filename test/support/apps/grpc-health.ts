import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** A gRPC server with grpc.health.v1, and an echo. */
export interface GrpcServer {
  /** HealthCheckResponse.ServingStatus by service; '' stands for the whole server. */
  readonly serving: Map<string, 'SERVING' | 'NOT_SERVING'>;
  /** Calls of Health/Check. */
  checks: number;
  stop(): void;
}

const bytes = (value: Buffer) => value;
const unary = (path: string) => ({
  path,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});
const echo: ServiceDefinition = { Say: unary('/echo.Echo/Say') };
const health: ServiceDefinition = { Check: unary('/grpc.health.v1.Health/Check') };

/** Starts it; its echo answers `name`. Without `withHealth` it knows no grpc.health.v1. */
export async function startGrpc(name: string, at: ListenAddress, withHealth = true): Promise<GrpcServer> {
  const server = new Server();
  const self: GrpcServer = {
    serving: new Map([['', 'SERVING']]),
    checks: 0,
    stop: () => server.forceShutdown(),
  };
  server.addService(echo, {
    Say: (_: unknown, reply: (e: null, b: Buffer) => void) => reply(null, Buffer.from(name)),
  });
  if (withHealth) {
    server.addService(health, {
      Check: (call: { request: Buffer }, reply: (error: object | null, answer?: Buffer) => void) => {
        self.checks += 1;
        const found = self.serving.get(call.request.subarray(2).toString());
        if (found === undefined) reply({ code: status.NOT_FOUND, details: 'no such service' });
        else reply(null, Buffer.from([0x08, found === 'SERVING' ? 1 : 2]));
      },
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${at.address}:${at.port}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  return self;
}

import { type GroupHealth, healthOfPort, type StatusRange } from '../../model/health.ts';
import type { ServicePort } from '../../model/service.ts';
import type { HealthCheck, HealthQuestion } from '../types.ts';
import { planAnswerMs } from './checks.ts';

/** What a Group gets that declares a check and nothing more. */
export const healthDefaults = {
  intervalMs: 500,
  /** What `isthmus run` takes for healthy too (`probe/probe.ts`). */
  statuses: [{ from: 200, to: 299 }] as readonly StatusRange[],
} as const;

/**
 * How instances are checked at a port; undefined: not at all. Health is of a port: a GRPC port is never asked
 * by HTTP, as no gRPC server answers that with 200, and an HTTP/1.1 port never by gRPC. A TCP port has no
 * answer to either.
 */
export function planHealth(port: ServicePort, health: GroupHealth | undefined): HealthCheck | undefined {
  if (health === undefined) return undefined;
  const settings = { ...health, ...healthOfPort(health, port) };
  if (settings.enabled === false) return undefined;
  const question = questionOf(port, health);
  if (question === undefined) return undefined;
  const intervalMs = settings.intervalMs ?? healthDefaults.intervalMs;
  return {
    question,
    intervalMs,
    answerMs: planAnswerMs(intervalMs),
    ...(settings.port === undefined ? {} : { port: settings.port }),
  };
}

function questionOf(port: ServicePort, health: GroupHealth): HealthQuestion | undefined {
  const own = healthOfPort(health, port);
  const grpc = (service: string | undefined): HealthQuestion | undefined =>
    service === undefined ? undefined : { kind: 'grpc', service };
  switch (port.protocol) {
    case 'GRPC':
      return grpc(own.grpc ?? health.grpc);
    case 'HTTP2':
      return grpc(own.grpc) ?? http(own.path ?? health.path, own.statuses ?? health.statuses);
    case 'HTTP':
      return http(own.path ?? health.path, own.statuses ?? health.statuses);
    default:
      return undefined;
  }
}

function http(path: string | undefined, statuses = healthDefaults.statuses): HealthQuestion | undefined {
  return path === undefined ? undefined : { kind: 'http', path, statuses };
}

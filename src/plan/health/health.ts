import { type GroupHealth, healthOfPort, type StatusRange } from '../../model/health.ts';
import type { ServicePort } from '../../model/service.ts';
import type { HealthCheck, HealthQuestion } from '../types.ts';
import { planAnswerMs } from './checks.ts';

/** Defaults of a Group that declares a check. */
export const healthDefaults = {
  intervalMs: 500,
  /** `isthmus run` uses the same (`probe/probe.ts`). */
  statuses: [{ from: 200, to: 299 }] as readonly StatusRange[],
} as const;

/**
 * How instances are checked at a port; undefined: not at all. A GRPC port is not checked by HTTP, as no gRPC
 * server answers it with 200, an HTTP/1.1 port not by gRPC, and a TCP port by neither.
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

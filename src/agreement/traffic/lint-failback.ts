import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import { type GroupHealth, healthOfPort } from '../../model/health.ts';
import type { DrGroup } from '../../model/idc.ts';
import type { ServiceEntry, ServicePort } from '../../model/service.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

const asked: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/**
 * A `failback` that nothing can come of: no request leaves, or nobody can see that instances are gone, and
 * back.
 */
export function lintFailback(groups: readonly DrGroup[], { entriesOf }: Pick<Coverage, 'entriesOf'>): Lint[] {
  return groups.flatMap((object): Lint[] => {
    const covered = entriesOf(object);
    // Undeclared hosts are reported elsewhere.
    if (object.spec.failback === undefined || covered.length === 0) return [];
    const path = ['spec', 'failback'];
    if (object.spec.hopLimit === 0) {
      const message = 'has no effect: with hopLimit 0 no request leaves its IDC, so none returns.';
      return [{ code: 'NoEffect', object, path, message }];
    }
    const seen = covered
      .filter(({ spec }) => spec.resolution === 'STATIC')
      .flatMap((entry) =>
        entry.spec.ports.filter(({ protocol }) => asked.has(protocol)).map((port) => ({ entry, port })),
      );
    if (seen.length === 0) {
      const message =
        'has no effect: only instances at HTTP, HTTP2 and GRPC ports are checked, and only with resolution STATIC. Requests of all others return at once.';
      return [{ code: 'NoEffect', object, path, message, lacks: ['ServiceEntry'] }];
    }
    const isSeen = seen.some(({ entry, port }) => {
      const { health } = mergeTraffic(object.spec.traffic, trafficFromAnnotations(entry));
      return health !== undefined && isChecked(port, health);
    });
    if (isSeen) return lintWarmup(object, seen);
    const message =
      'has no effect without health checks, which detect that instances are lost, and back. Give `traffic.health`.';
    return [{ code: 'NoEffect', object, path, message, lacks: ['ServiceEntry'] }];
  });
}

/** Only idempotent GET and HEAD are mirrored. */
function lintWarmup(
  object: DrGroup,
  seen: readonly { readonly entry: ServiceEntry; readonly port: ServicePort }[],
): Lint[] {
  if (object.spec.failback?.warmup !== 'mirror') return [];
  const path = ['spec', 'failback', 'warmup'];
  const told = (why: string): Lint[] => {
    const message = `has no effect: ${why} All requests return at once then: leave it out, for the ramp.`;
    return [{ code: 'NoEffect', object, path, message, lacks: ['ServiceEntry'] }];
  };
  if (seen.every(({ port }) => port.protocol === 'GRPC'))
    return told('gRPC calls are POSTs, and just GET and HEAD are mirrored.');
  const reads = seen.some(({ entry }) => {
    const own = trafficFromAnnotations(entry);
    const { idempotentMethods = ['GET'] } = mergeTraffic(object.spec.traffic, own);
    return idempotentMethods.some((method) => method === 'GET' || method === 'HEAD');
  });
  return reads ? [] : told('`idempotentMethods` has neither GET nor HEAD.');
}

/** Whether a declared check matches the port's protocol. */
function isChecked(port: ServicePort, health: GroupHealth): boolean {
  const own = healthOfPort(health, port);
  const { enabled, path, grpc } = { ...health, ...own };
  if (enabled === false) return false;
  if (port.protocol === 'GRPC') return grpc !== undefined;
  return path !== undefined || (port.protocol === 'HTTP2' && own.grpc !== undefined);
}

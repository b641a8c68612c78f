import { showAddress } from '../model/values/listen-address.ts';
import { probe } from '../probe/probe.ts';
import type { CheckTarget } from './watched-group.ts';

/**
 * Checks an instance as proxies do: its health path, or grpc.health.v1. With TLS an open connection is
 * enough.
 */
export async function checkInstance(target: CheckTarget): Promise<boolean> {
  const { host, address, port, question, timeoutMs } = target;
  const at = showAddress({ address, port });
  const ask = () => {
    if (target.isTls) return probe({ host: address, port }, timeoutMs);
    if (question.kind === 'grpc')
      return probe({ grpc: { host: address, port, service: question.service } }, timeoutMs);
    return probe({ url: `http://${at}${question.path}`, host, statuses: question.statuses }, timeoutMs);
  };
  return (await ask().catch((reason: unknown) => String(reason))) === undefined;
}

import { systemClock as clock, sleep } from '../../src/base/clock.ts';
import { clusterType } from '../../src/xds/resource-types.ts';
import { deltaRequest, methods, nodeOf, openHttp2, readResponse } from '../../test/support/attacks/call.ts';
import { groupYaml } from '../../test/support/objects-yaml.ts';
import type { Served } from '../../test/support/planes/served.ts';
import { scopeOf } from './clients.ts';

const stayMs = 100;

/** Extra behaviour of a guest, by its number; the first match applies. */
const manners: readonly (readonly [each: number, says: (nonce: string, type: string) => Buffer])[] = [
  // Invalid protobuf; an unknown type; a NACK with a new message.
  [7, () => Buffer.from([0xff, 0xff, 0xff])],
  [11, () => deltaRequest({ type: 'type.googleapis.com/no.Such' })],
  [13, (nonce, type) => deltaRequest({ type, nonce, error: `refused: ${nonce}` })],
];

/**
 * Clients that come and go until `signal`, one after another, each under a name that nobody had before, some
 * of a class of their own, some with bad manners. With them come and go Groups and instances, and the admin
 * interface is read. How many came.
 */
export async function receiveGuests(served: Served, signal: AbortSignal): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    const connection = openHttp2(served.xds);
    const call = connection.call(methods.delta);
    const [, says] = manners.find(([each]) => count % each === 0) ?? [];
    call.onMessage((message) => {
      const { type, nonce } = readResponse(message);
      void call.send(says?.(nonce, type) ?? deltaRequest({ type, nonce }));
    });
    const node = nodeOf(`guest-${count}`, scopeOf(count % 10 === 0 ? `namespace-${count}` : 'shop'));
    void call.send(deltaRequest({ node, type: clusterType, names: ['*', `name-${count}`] }));
    await sleep(clock, stayMs);
    connection.close();
    if (count % 20 === 0) served.save('guest.yaml', groupYaml(`guest-${count}`));
    if (count % 50 === 0) await Promise.all(['/status', '/metrics', '/problems'].map(served.page));
    if (count % 5 === 0) await register(served, count);
  }
  return count;
}

/** Registers a new instance, and deregisters it. */
async function register(served: Served, count: number): Promise<void> {
  const body = { address: '10.9.9.9', ports: { http: 80 }, labels: { app: 'guest' }, ttl: '10s' };
  for (const [method, sent] of [['PUT', body], ['DELETE']] as const)
    await served
      .api(method, `/shop/guest-${count}`, sent)
      .catch((error: Error) => process.stderr.write(`guest-${count}: ${error.message}\n`));
}

import { systemClock } from '../../base/clock.ts';
import { createApiClient } from '../../client/api-client.ts';
import { type ClockReading, readClock } from '../../client/evacuation-planes.ts';
import { askStatus } from '../../client/status-client.ts';
import { askNetwork, type NetworkAnswer } from '../../client/who-client.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';

type Status = Awaited<ReturnType<typeof askStatus>>;

/** What a control plane says of itself, and what asking it took. */
export interface AskedPlane extends Status {
  readonly where: ListenAddress;
  /** Time of one question and its answer, in milliseconds. */
  readonly tookMs: number;
  /** Undefined: its version does not say, or it did not answer in time. */
  readonly network: NetworkAnswer | undefined;
  readonly clock: ClockReading | undefined;
}

/** Times that a clock is read: the reading with the shortest round trip counts. */
const clockReadings = 3;

/** Asks a control plane. Throws MeshError `unavailable` without an answer. */
export async function askPlane(where: ListenAddress): Promise<AskedPlane> {
  const began = systemClock.now();
  const status = await askStatus(where);
  const tookMs = systemClock.now() - began;
  const client = createApiClient({ admin: where, token: undefined });
  try {
    const clock = await readClock(client, systemClock, clockReadings).catch(() => undefined);
    const network = await askNetwork(where).catch(() => undefined);
    return { ...status, where, tookMs, network, clock };
  } finally {
    await client.close();
  }
}

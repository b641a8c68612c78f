import type { MeshError } from '../../base/error.ts';
import type { Session } from '../stream/session.ts';

/** Ends streams, by id, with an error. */
export function endStreams(sessions: Iterable<Session>, streams: Iterable<number>, error: MeshError): void {
  const ids = new Set(streams);
  const ending = [...sessions].filter(({ info }) => ids.has(info.id));
  for (const { stream } of ending) stream.refuse?.(error);
}

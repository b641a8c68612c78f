import { request } from 'node:http';
import type { ListenAddress } from '../model/node.ts';

/** What the ids of probes begin with: they are not part of the load and are left out of all counts. */
export const probePrefix = 'probe:';

/** What the ids of hostile requests begin with: they are counted by the drill that sends them, apart from the load. */
export const hostilePrefix = 'hostile:';

/** Whether a request with that id is part of the load; one without an id, such as a health check, is not. */
export function isOfLoad(id: string): boolean {
  return id !== '' && !id.startsWith(probePrefix) && !id.startsWith(hostilePrefix);
}

let count = 0;

/** Sends one GET / for `host` and resolves with '' when it was served, else with what happened. */
export function probe(to: ListenAddress, host: string, timeoutMs = 1000): Promise<string> {
  return new Promise((resolve) => {
    const headers = { host, 'x-drill-id': `${probePrefix}${count++}` };
    const sent = request({ host: to.address, port: to.port, headers, agent: false, timeout: timeoutMs });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? '' : `status ${response.statusCode}`));
      response.on('error', (error) => resolve(error.message));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}

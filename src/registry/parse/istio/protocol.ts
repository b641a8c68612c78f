import { didYouMean } from '../../../base/text/suggest.ts';
import type { Protocol } from '../../../model/service.ts';
import { show } from '../fault.ts';
import type { Fields } from '../fields.ts';

/**
 * Every protocol name of Istio, as the protocol used here. null: not even TCP, so that the port is left out
 * instead of being served as TCP.
 */
const protocols: Readonly<Record<string, Protocol | null>> = {
  HTTP: 'HTTP',
  HTTP2: 'HTTP2',
  GRPC: 'GRPC',
  'GRPC-WEB': 'HTTP',
  HTTPS: 'HTTPS',
  TLS: 'TLS',
  TCP: 'TCP',
  MONGO: 'MONGO',
  MYSQL: 'TCP',
  REDIS: 'TCP',
  HTTP_PROXY: 'TCP',
  UDP: null,
  HBONE: null,
  'DOUBLE-HBONE': null,
};

/** Parses a port's protocol, ignoring case. Undefined if it is invalid or the port is to be left out. */
export function parseProtocol(port: Fields): Protocol | undefined {
  const text = port.string('protocol');
  if (!text) {
    // Istio would detect it from the first bytes; assuming TCP silently would lose HTTP's routing by host.
    if (!port.has('protocol') || text === '') {
      port.warn(
        'not given, and not detected here: the port is served as TCP. Say HTTP, HTTP2 or GRPC if it is one.',
        'protocol',
      );
      return 'TCP';
    }
    return undefined;
  }
  const name = text.toUpperCase();
  if (!Object.hasOwn(protocols, name)) {
    const hint = didYouMean(text, Object.keys(protocols));
    port.error(
      `${show(text)} is not a protocol: give one of ${Object.keys(protocols).join(', ')}.${hint}`,
      'protocol',
    );
    return undefined;
  }
  const protocol = protocols[name] ?? undefined;
  if (name === 'GRPC-WEB') port.warn('GRPC-WEB is served as HTTP.', 'protocol');
  else if (protocol === undefined) port.warn(`${name} is not supported: the port is left out.`, 'protocol');
  return protocol;
}

import { connect, constants } from 'node:http2';
import { systemClock, type Timer } from '../base/clock.ts';
import { showAddress } from '../model/values/listen-address.ts';

/** The target, and its service; '' is the whole server. */
interface GrpcTarget {
  readonly host: string;
  readonly port: number;
  readonly service: string;
}

/** HealthCheckResponse.ServingStatus of grpc.health.v1. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/**
 * One check by grpc.health.v1 (GRPC Health Checking Protocol, grpc.io): why it is not SERVING, or undefined
 * if it is. The two messages have one field each, and are encoded here.
 */
export function probeGrpcHealth(
  { host, port, service }: GrpcTarget,
  timeoutMs: number,
): Promise<string | undefined> {
  const at = showAddress({ address: host, port });
  const session = connect(`http://${at}`);
  let timer: Timer | undefined;
  return new Promise<string>((resolve) => {
    session.on('error', (error) => resolve(error.message));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    timer = systemClock.after(timeoutMs, () => {
      stream.close(constants.NGHTTP2_CANCEL);
      resolve(`no answer in ${timeoutMs} ms`);
    });
    const chunks: Buffer[] = [];
    let end: { status?: string; message?: string } = {};
    const take = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] === undefined) return;
      end = {
        status: String(headers['grpc-status']),
        message: decoded(String(headers['grpc-message'] ?? '')),
      };
    };
    stream.on('response', take).on('trailers', take);
    stream.on('data', (data: Buffer) => chunks.push(data));
    stream.on('error', (error) => resolve(error.message));
    stream.on('close', () => {
      if (end.status === '0')
        resolve(servingStatuses[statusIn(Buffer.concat(chunks))] ?? 'an unknown status');
      else
        resolve(
          end.status === undefined
            ? 'no gRPC server'
            : `grpc-status ${end.status} ${end.message ?? ''}`.trim(),
        );
    });
    stream.end(frame(service));
  })
    .then((said) => (said === 'SERVING' ? undefined : `${at}${service === '' ? '' : ` ${service}`}: ${said}`))
    .finally(() => {
      timer?.cancel();
      session.destroy();
    });
}

/** A HealthCheckRequest, length-prefixed: field 1, the service's name. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  // A name of more than 127 bytes has a two-byte length.
  const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The status in a length-prefixed HealthCheckResponse: field 1, a number; absent: 0. */
function statusIn(bytes: Buffer): number {
  return bytes[5] === 0x08 ? (bytes[6] ?? 0) : 0;
}

/** Decodes a grpc-message; one that is not validly percent-encoded is returned unchanged. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

import { request } from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { MeshError, type MeshErrorCode } from '../../base/error.ts';
import { isMap } from '../../base/raw-map.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { readBundle } from '../bundle.ts';
import { identityOf, keyHash, parseX509 } from '../certificate.ts';

/** How an authority is reached. */
export interface CaAccess {
  readonly ca: ListenAddress;
  /** Of whose trust domain and IDC the authority must be. */
  readonly trustDomain: string;
  readonly idc: string;
  readonly clock: Clock;
}

/** What is sent with a question: the roots by which the server is checked, and the own certificate. */
interface Credentials {
  readonly roots: string;
  readonly pair?: { readonly certificate: string; readonly key: string };
}

const answerMsMax = 15_000;
const answerBytesMax = 256 * 1024;

/**
 * The root that a hash pins (`keyHash`), as the authority itself shows it, over TLS whose server is not known
 * yet: whoever answers can only send a root that has this hash. Throws MeshError `unavailable`, or
 * `forbidden` if it has none.
 */
export async function fetchPinnedRoot(access: CaAccess, pin: string): Promise<string> {
  const answer = await ask(access, 'GET', '/v1/bundle', undefined, undefined);
  const pinned = readBundle(textOf(answer.bundle, 'bundle'), access.clock.wall()).roots.find(
    (root) => keyHash(root) === pin,
  );
  if (pinned !== undefined) return pinned.toString();
  throw new MeshError(
    'forbidden',
    `the authority at ${showAddress(access.ca)} has no root ${pin}: this is another one, or it has a new root. Take --ca-hash from isthmus ca token`,
  );
}

/**
 * Asks an authority, which must have a certificate for the role `ca` of this trust domain and IDC. Throws
 * MeshError `unavailable`, or what the authority says.
 */
export function askCa(
  access: CaAccess,
  path: '/v1/join' | '/v1/renew' | '/v1/seen',
  body: object,
  credentials: Credentials,
): Promise<Readonly<Record<string, unknown>>> {
  return ask(access, 'POST', path, body, credentials);
}

/** A text of an answer. Throws MeshError `unavailable` if it is not there. */
export function textOf(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new MeshError('unavailable', `the authority's answer has no ${what}: is it one of this version?`);
}

function ask(
  access: CaAccess,
  method: 'GET' | 'POST',
  path: string,
  body: object | undefined,
  credentials: Credentials | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const { address, port } = access.ca;
  const own = credentials?.pair && { cert: credentials.pair.certificate, key: credentials.pair.key };
  const trust =
    credentials === undefined
      ? { rejectUnauthorized: false }
      : {
          ca: credentials.roots,
          checkServerIdentity: (_: string, peer: PeerCertificate) => checkAuthority(peer, access),
        };
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      late.cancel();
      reject(away(access.ca, cause));
    };
    const sent = request(
      {
        ...{ host: address, port, method, path, agent: false, minVersion: 'TLSv1.3', ...own, ...trust },
        headers: { 'content-type': 'application/json' },
      },
      (response) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        response.on('data', (piece: Buffer) => {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > answerBytesMax) response.destroy(new Error('it answers too much'));
        });
        response.on('error', fail);
        response.on('end', () => {
          late.cancel();
          try {
            resolve(read(response.statusCode ?? 0, Buffer.concat(pieces).toString('utf8')));
          } catch (reason) {
            reject(MeshError.from(reason, 'unavailable'));
          }
        });
      },
    );
    const late = access.clock.after(answerMsMax, () => sent.destroy(new Error('no answer in time')));
    sent.on('error', fail);
    // A handshake that is refused after it ended for the client, as in TLS 1.3, shows here.
    sent.on('socket', (socket) => (socket as TLSSocket).once('error', () => {}));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function read(status: number, text: string): Readonly<Record<string, unknown>> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new MeshError('unavailable', `the authority answered ${status}, and no JSON: is it one?`);
  }
  if (!isMap(body)) throw new MeshError('unavailable', 'the authority answered no JSON object: is it one?');
  if (status === 200) return body;
  const { code, message } = body as { code?: unknown; message?: unknown };
  const isRefusal = code === 'forbidden' || code === 'invalid';
  const said = isRefusal ? (code as MeshErrorCode) : 'unavailable';
  throw new MeshError(said, `the authority says: ${textOf(message, 'message')}`);
}

function checkAuthority(peer: PeerCertificate, { trustDomain, idc }: CaAccess): Error | undefined {
  try {
    const one = identityOf(parseX509(peer.raw));
    if (one.role === 'ca' && one.trustDomain === trustDomain && one.idc === idc) return undefined;
    return new Error(
      `it shows the certificate of ${one.role} ${one.name} of IDC ${one.idc}, ${one.trustDomain}`,
    );
  } catch (reason) {
    return reason as Error;
  }
}

function away(ca: ListenAddress, cause: unknown): MeshError {
  const why = describeSystemError(cause);
  return new MeshError('unavailable', `the authority at ${showAddress(ca)} cannot be asked: ${why}`, {
    cause,
  });
}

import type { MeshError } from '../../base/error.ts';

/** How the certificates of a connection are checked and shown: as `tls.connect` takes them. */
export interface KubeTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** The name that the server's certificate must have; absent: its host. */
  readonly servername?: string;
  /** False: any certificate is believed. */
  readonly rejectUnauthorized: boolean;
}

/** What a client shows to be let in. */
export interface KubeCredentials {
  /** The header `authorization`, for each request anew; undefined: none. Rejects with MeshError. */
  authorization(): Promise<string | undefined>;
  /** A certificate and its key, where credentials are one, for each connection anew; rejects alike. */
  certificate(): Promise<Pick<KubeTls, 'cert' | 'key'>>;
  /** The server did not accept them (401): whatever is kept is read again. */
  refused(): void;
}

/** How to get to an API server. */
export interface KubeAccess {
  /** Its address, with a path below which the API is, if any. */
  readonly server: URL;
  /** Where this is from, for messages: `kubeconfig FILE, context NAME`. */
  readonly origin: string;
  /** Where what is of this client alone is kept: of the context, or the Pod; `default` where neither says. */
  readonly namespace: string;
  /** The certificate of the server, for each connection anew. Rejects with MeshError. */
  serverTls(): Promise<KubeTls>;
  readonly credentials: KubeCredentials;
}

/** Makes the error of a field: what is wrong, and what to do. `field`: such as `users[0].user.token`. */
export type FieldError = (field: string, message: string, cause?: unknown) => MeshError;

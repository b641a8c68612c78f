/** What an Envoy is for. */
export type NodeRole = 'sidecar' | 'ingress' | 'egress';

/** `host:port` as Envoy listens on it. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** What a proxy says of itself (Envoy node metadata, key `isthmus`), as far as it decides what it gets. */
export type NodeScope =
  | {
      readonly role: 'sidecar';
      readonly idc: string;
      readonly namespace: string;
      /** Hosts of the Groups that it calls; absent: all of its namespace. */
      readonly dependsOn?: readonly string[];
      /** Where the workload sends its requests; absent: the workload calls nobody. */
      readonly outbound?: ListenAddress;
    }
  | {
      readonly role: 'ingress';
      readonly idc: string;
      readonly edge: ListenAddress;
      readonly peer: ListenAddress;
    }
  | {
      readonly role: 'egress';
      readonly idc: string;
      readonly sidecar: ListenAddress;
      readonly ingress: ListenAddress;
    };

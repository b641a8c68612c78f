/** The label of Pods that are instances of a Group. */
export const groupLabel = 'isthmus.dev/group';

/**
 * The finalizer of an instance, which keeps it in the API until no proxy has it any more, and the readiness
 * gate of a Pod, which waits until all proxies have it.
 */
export const propagated = 'isthmus.dev/propagated';

/** Annotations of an instance by which its Pod's readiness gate is opened. */
export const gateKeys = {
  /** 'true': its Pod has the gate. */
  gated: 'registrar.isthmus.dev/gated',
  /** The generation that all proxies have, as control planes say. */
  propagated: 'registrar.isthmus.dev/propagated',
} as const;

/** The port at which a sidecar takes requests, where the Pod names none. */
export const sidecarInboundPort = 15_006;

const shared = new WeakSet<object>();

/**
 * Marks a message that stands in many others, or that stays what it is in a large one which changes: the xDS
 * server encodes it once and keeps its bytes for as long as the object lives. It must not be changed
 * afterwards, nor anything in it; itself it is frozen.
 */
export function sharedMessage<M extends object>(message: M): M {
  shared.add(Object.freeze(message));
  return message;
}

/** Whether a message was marked by `sharedMessage`. */
export function isSharedMessage(message: object): boolean {
  return shared.has(message);
}

const shared = new WeakSet<object>();

/**
 * Marks a message that is part of many others, or a constant part of a large one: the xDS server encodes it
 * once and keeps the bytes for the object's lifetime. The object is frozen, and its content must not be
 * changed.
 */
export function sharedMessage<M extends object>(message: M): M {
  shared.add(Object.freeze(message));
  return message;
}

/** Whether a message was marked by `sharedMessage`. */
export function isSharedMessage(message: object): boolean {
  return shared.has(message);
}

/** Any mapping of YAML or JSON. */
export type RawMap = Readonly<Record<string, unknown>>;

/** Whether a value is a mapping (not a list, not null). */
export function isMap(value: unknown): value is RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

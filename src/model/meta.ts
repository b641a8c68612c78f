/** Labels of an object or of a workload, by key. */
export type Labels = Readonly<Record<string, string>>;

/** What every object carries besides its spec. */
export interface Meta {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** When it was created, where it says so (`creationTimestamp`); milliseconds since 1970. */
  readonly createdMs?: number;
  /** Where it was read, for messages: `file.yaml:12` or a resource path. Not part of its identity. */
  readonly origin: string;
}

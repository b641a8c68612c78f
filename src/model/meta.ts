/** Labels of an object or of a workload, by key. */
export type Labels = Readonly<Record<string, string>>;

/** The metadata of every object. */
export interface Meta {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Its `creationTimestamp`, if any; milliseconds since 1970. */
  readonly createdMs?: number;
  /** Its location, for messages: `file.yaml:12` or a resource path. Not part of its identity. */
  readonly origin: string;
}

/** Which objects of an API server: all of a kind, or those of a namespace, or with certain labels. */
export interface ObjectCollection {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** As kubectl has it: `a=b,c`. Absent: all. */
  readonly labelSelector?: string;
}

/** The path of a collection, with a query. */
export function collectionPath(collection: ObjectCollection, query: Record<string, string>): string {
  const { group, version, plural, namespace, labelSelector } = collection;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
  const selector = labelSelector === undefined ? {} : { labelSelector };
  return `${root}${place}/${plural}?${new URLSearchParams({ ...query, ...selector })}`;
}

/** One step into an object: a field's name or a list's index. */
export type PathPart = string | number;

/** A path as people write it: `spec.ports[0].protocol`, `metadata.annotations["isthmus.dev/timeout"]`. */
export function renderPath(path: readonly PathPart[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

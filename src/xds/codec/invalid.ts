import { MeshError } from '../../base/error.ts';

/** The error for a JSON value that a message cannot hold: names the path of the field and shows the value. */
export function invalid(path: string, what: string, value: unknown): MeshError {
  return new MeshError('invalid', `${path} ${what}: ${show(value)}`, { ref: path });
}

function show(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

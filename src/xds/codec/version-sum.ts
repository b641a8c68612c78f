import { hash } from 'node:crypto';

/** A version as two signed numbers of 32 bits: half of the memory of its text, and ready to be combined. */
export type VersionSum = readonly [high: number, low: number];

/** The version of a content: the first 64 bits of its SHA-256, as `contentHash` has them in hex. */
export function versionOfBytes(bytes: Uint8Array): VersionSum {
  const text = hash('sha256', bytes, 'binary');
  return [int32At(text, 0), int32At(text, 4)];
}

function int32At(text: string, at: number): number {
  return (
    (text.charCodeAt(at) << 24) |
    (text.charCodeAt(at + 1) << 16) |
    (text.charCodeAt(at + 2) << 8) |
    text.charCodeAt(at + 3)
  );
}

/** A version as text: 16 hex digits. */
export function versionText([high, low]: VersionSum): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}

import type { ShownFinding } from '../../contract/status.ts';

/**
 * Warnings after which a control plane has something else in force than its sources say: a deletion that
 * comes some seconds later, and objects that stay because they may be in what cannot be read.
 */
const heldBack: readonly string[] = ['DeletionDelayed', 'ObjectsKept'];

/** Errors that keep no object of a source from being in force. */
const harmless: readonly string[] = ['SnapshotRefused', 'StateNotWritten', 'LoopPreventionOff'];

/**
 * Whether a problem of registry objects or of their sources means that what proxies have confirmed is not
 * what the sources say.
 */
export function isAgainstSynced({ code, severity }: Pick<ShownFinding, 'code' | 'severity'>): boolean {
  return heldBack.includes(code) || (severity === 'error' && !harmless.includes(code));
}

/** A finding on one line: where, the field, what, and its code. */
export function findingText({ where, path, message, code }: ShownFinding): string {
  return `${where}: ${path === '' ? '' : `${path}: `}${message.trimEnd()} [${code}]`;
}

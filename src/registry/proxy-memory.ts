import type { ProxyMemory } from './source.ts';

/** Node ids of proxies, and whether each is to be remembered. */
type ProxyNotes = readonly (readonly [node: string, isKnown: boolean])[];

/** Remembered proxies of a source that keeps them in a file and has peers. */
interface KeptProxies extends ProxyMemory {
  /** The file has these: they had endpoints from an earlier process. */
  opened(nodes: readonly string[]): void;
  /** A peer that had these no longer answers. */
  lost(nodes: readonly string[]): void;
  /** A peer has these. */
  moved(nodes: readonly string[]): void;
  /** Whether the file differs. */
  readonly isDue: boolean;
  /** What is to be written; from now on it counts as written. */
  takeNotes(): ProxyNotes;
  /** These could not be written. They are written when the proxies reconnect. */
  notWritten(notes: ProxyNotes): void;
}

/** Creates a memory of proxies; `onNote` is called for each `remember`, written already or not. */
export function createProxyMemory(onNote: (node: string, isKnown: boolean) => void): KeptProxies {
  /** Those in the file, and those that will be. */
  const remembered = new Set<string>();
  const notes = new Map<string, boolean>();
  let returning: readonly string[] = [];
  let takenOver: readonly string[] = [];
  const keep = (node: string, isKnown: boolean) => {
    if (isKnown) remembered.add(node);
    else remembered.delete(node);
  };
  return {
    opened(nodes) {
      returning = nodes;
      for (const node of nodes) remembered.add(node);
    },
    lost(nodes) {
      returning = [...returning, ...nodes];
    },
    moved(nodes) {
      takenOver = [...takenOver, ...nodes];
    },
    recall() {
      const nodes = returning;
      returning = [];
      return nodes;
    },
    takenOver() {
      const nodes = takenOver;
      takenOver = [];
      return nodes;
    },
    remember(node, isKnown) {
      if (remembered.has(node) !== isKnown) {
        keep(node, isKnown);
        notes.set(node, isKnown);
      }
      onNote(node, isKnown);
    },
    get isDue() {
      return notes.size > 0;
    },
    takeNotes() {
      const taken = [...notes];
      notes.clear();
      return taken;
    },
    notWritten(failed) {
      for (const [node, isKnown] of failed) if (!notes.has(node)) keep(node, !isKnown);
    },
  };
}

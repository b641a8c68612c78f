import { join } from 'node:path';
import { openRegular, readOpened } from '../../base/files/bounded-file.ts';
import { decode } from '../../base/files/encoding.ts';
import { systemErrorCode } from '../../base/system-error.ts';
import { type Content, type Entry, misencodedContent, readContent } from './documents.ts';
import { signatureOf } from './scan.ts';

/** The state of one file. */
export interface FileState {
  /** Of the content that applies. */
  signature: string;
  content: Content | undefined;
  /** The entries that apply: for a file with unreadable parts, also earlier ones. */
  entries: readonly Entry[];
  /** The earlier ones among them, which the file does not show now. */
  held?: readonly Entry[];
  /** The system error's code, or the reason, for which it cannot be read. */
  trouble?: string;
  /**
   * Set while the file may be half-written: since when it has its current signature, and since when it is in
   * doubt.
   */
  doubt?: { signature: string; since: number; first: number };
}

/** The result of reading a file. `doubtful`: read again soon. */
type Look = 'same' | 'changed' | 'doubtful' | 'gone' | 'folder';

/** How long a possibly half-written file must stay unchanged to be accepted, in milliseconds. */
export interface DoubtRule {
  readonly doubtMs: number;
  /** A file that is written to continuously is accepted after this. */
  readonly doubtMsMax: number;
}

/** The files of a folder, as last read. */
interface Reader {
  readonly files: ReadonlyMap<string, FileState>;
  /** Paths of files that were doubtful when last read. */
  readonly doubtful: ReadonlySet<string>;
  /** Paths of files with something to report. */
  readonly troubled: ReadonlySet<string>;
  /** Reads one file, by its path below the root. `now`: the clock's time. */
  look(path: string, now: number): Promise<Look>;
  forget(path: string): void;
}

/**
 * Creates a reader of files below `root`; messages name them below `shown`. A text that ends within a line,
 * is not YAML or has invalid objects may be half-written: it is accepted only once the file has stayed
 * unchanged for a moment.
 */
export function createReader(root: string, shown: string, rule: DoubtRule): Reader {
  const files = new Map<string, FileState>();
  const doubtful = new Set<string>();
  const troubled = new Set<string>();

  function isDoubtful(
    state: FileState,
    content: Content,
    signature: string,
    stable: boolean,
    now: number,
  ): boolean {
    const { text } = content;
    // May be a truncated write (editor, full disk): wait longer before accepting it.
    const emptied = content.documents.size === 0 && state.entries.length > 0;
    const suspect = emptied || !stable || content.faulty || (text !== '' && !text.endsWith('\n'));
    // An accepted version is not doubted again.
    if (!suspect || (stable && state.content?.text === text)) return false;
    const doubt = state.doubt;
    const waitMs = emptied ? rule.doubtMsMax : rule.doubtMs;
    if (doubt?.signature === signature && now - doubt.since >= waitMs) return false;
    if (!emptied && doubt !== undefined && now - doubt.first >= rule.doubtMsMax) return false;
    if (doubt?.signature !== signature) state.doubt = { signature, since: now, first: doubt?.first ?? now };
    return true;
  }

  function fail(path: string, state: FileState, code: string): Look {
    const isNews = state.trouble !== code;
    state.trouble = code;
    troubled.add(path);
    files.set(path, state);
    return isNews ? 'changed' : 'same';
  }

  return {
    files,
    doubtful,
    troubled,
    async look(path, now) {
      doubtful.delete(path);
      const state = files.get(path) ?? { signature: '', content: undefined, entries: [] };
      let read: Awaited<ReturnType<typeof readStable>>;
      try {
        read = await readStable(join(root, path));
      } catch (reason) {
        const code = systemErrorCode(reason);
        if (code === 'ENOENT' || code === 'ENOTDIR') {
          troubled.delete(path);
          return files.delete(path) ? 'gone' : 'same';
        }
        if (code === 'EISDIR') return 'folder';
        return fail(path, state, code);
      }
      files.set(path, state);
      const { signature, text, stable } = read;
      const same = state.content?.text === text;
      let content: Content;
      try {
        content =
          same && state.content ? state.content : await contentOf(join(shown, path), read, state.content);
      } catch (reason) {
        // An error of one file must not affect the others.
        return fail(path, state, systemErrorCode(reason));
      }
      if (isDoubtful(state, content, signature, stable, now)) {
        doubtful.add(path);
        return 'doubtful';
      }
      const recovered = state.trouble !== undefined;
      delete state.doubt;
      delete state.trouble;
      if (content.problems.length > 0) troubled.add(path);
      else troubled.delete(path);
      state.signature = signature;
      if (same) return recovered ? 'changed' : 'same';
      state.held = heldOf(content, state.entries);
      state.entries = [...content.entries, ...state.held];
      state.content = content;
      return 'changed';
    },
    forget(path) {
      files.delete(path);
      doubtful.delete(path);
      troubled.delete(path);
    },
  };
}

/** Largest file read: a log or a disk image with a wrong name must not exhaust memory. */
const fileMiBMax = 256;

/** A file's text, or its bytes as text if `encoding` names another than UTF-8. */
interface ReadFile {
  readonly signature: string;
  readonly text: string;
  readonly encoding?: string;
  /** Whether it was unchanged while it was read. */
  readonly stable: boolean;
}

async function readStable(path: string): Promise<ReadFile> {
  // Opening a pipe would block the whole source.
  const handle = await openRegular(path);
  try {
    const stats = await handle.stat();
    const bytesMax = fileMiBMax * 1024 * 1024;
    if (stats.size > bytesMax)
      throw new Error(`it is larger than ${fileMiBMax} MiB; split it, or move it away`);
    const signature = signatureOf(stats);
    const bytes = await readOpened(handle, bytesMax);
    const stable = signatureOf(await handle.stat()) === signature;
    const decoded = decode(bytes);
    return 'text' in decoded
      ? { signature, ...decoded, stable }
      : { signature, ...decoded, text: bytes.toString('latin1'), stable };
  } finally {
    await handle.close();
  }
}

async function contentOf(
  file: string,
  { text, encoding }: ReadFile,
  previous: Content | undefined,
): Promise<Content> {
  if (encoding === undefined) return await readContent(file, text, previous);
  return misencodedContent(file, text, encoding);
}

/**
 * Entries that a file had before and does not show, but may still contain: an unclear document may be any
 * whose name is in its text, or any at all if it has no name or the file may be truncated.
 */
function heldOf({ entries, unclear, cut }: Content, before: readonly Entry[]): readonly Entry[] {
  if (unclear.length === 0 && !cut) return [];
  const keys = new Set(entries.map(({ key }) => key));
  const unseen = before.filter(({ key }) => !keys.has(key));
  if (cut) return unseen;
  const words = new Set(unclear.flatMap((text) => text.split(/[^A-Za-z0-9.-]+/)));
  const named = unseen.filter(({ ref }) => words.has(ref.name));
  return named.length > 0 ? named : unseen;
}

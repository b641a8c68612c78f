import { join } from 'node:path';
import { openRegular, readOpened } from '../../base/bounded-file.ts';
import { systemErrorCode } from '../../base/system-error.ts';
import { type Content, type Entry, misencodedContent, readContent } from './documents.ts';
import { decode } from './encoding.ts';
import { signatureOf } from './scan.ts';

/** What is known of one file. */
export interface FileState {
  /** As of the content that counts. */
  signature: string;
  content: Content | undefined;
  /** What counts: of a file that cannot be read whole, also what it held before. */
  entries: readonly Entry[];
  /** Of these, what it held before and does not show now. */
  held?: readonly Entry[];
  /** The code of the system error for which it cannot be read, or the reason in words. */
  trouble?: string;
  /**
   * Set while the file may be half-written: since when it looks as it does, and since when it is in doubt.
   */
  doubt?: { signature: string; since: number; first: number };
}

/** What became of a look at a file. `doubtful`: look again in a moment. */
export type Look = 'same' | 'changed' | 'doubtful' | 'gone' | 'folder';

/** How long a file must stay as it is to be believed where it may be half-written, in milliseconds. */
export interface DoubtRule {
  readonly doubtMs: number;
  /** A file that is written to all the time is believed after this. */
  readonly doubtMsMax: number;
}

/** The files of a folder, as they were last read. */
export interface Reader {
  readonly files: ReadonlyMap<string, FileState>;
  /** Paths of the files that were doubtful when last looked at. */
  readonly doubtful: ReadonlySet<string>;
  /** Paths of the files about which there is something to report. */
  readonly troubled: ReadonlySet<string>;
  /** Reads one file, by its path below the root. `now` is the clock's time. */
  look(path: string, now: number): Promise<Look>;
  forget(path: string): void;
}

/**
 * Creates a reader of files below `root`; messages name them below `shown`. A text that ends within a line,
 * is no YAML or has faulty objects may be one that is just being written: it counts only once the file has
 * stayed the same for a moment.
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
    // So looks a file that was cut before it is written anew, or by a disk that was full: give it longer.
    const emptied = content.documents.size === 0 && state.entries.length > 0;
    const suspect = emptied || !stable || content.faulty || (text !== '' && !text.endsWith('\n'));
    // What was believed once needs no second look.
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
        // Whatever one file does to its reader, the others go on.
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

/** Largest file that is read: a log or a disk image that was given a wrong name must not fill the memory. */
const fileMiBMax = 256;

/** A file's text, or its bytes as text where `encoding` says that they are no UTF-8. */
interface ReadFile {
  readonly signature: string;
  readonly text: string;
  readonly encoding?: string;
  /** Whether it stayed as it was while it was read. */
  readonly stable: boolean;
}

async function readStable(path: string): Promise<ReadFile> {
  // A pipe would be waited for, and with it the whole source.
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
 * What a file held before and does not show now, but may still hold: what an unclear document may be, by the
 * name in its text, or all where no name is in it, or where the file may have been cut.
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

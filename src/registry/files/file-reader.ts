import { join } from 'node:path';
import { openRegular, readOpened } from '../../base/files/bounded-file.ts';
import { decodeText } from '../../base/files/encoding.ts';
import { systemErrorCode } from '../../base/system-error.ts';
import { type FileContent, misencodedContent, type ObjectEntry, readContent } from './documents.ts';
import { signatureOf } from './scan.ts';

/** The state of one file. */
export interface FileState {
  /** Of the content that applies. */
  signature: string;
  content: FileContent | undefined;
  /** The entries that apply: for a file with unreadable parts, also earlier ones. */
  entries: readonly ObjectEntry[];
  /** The earlier ones among them, which the file does not show now. */
  kept?: readonly ObjectEntry[];
  /** The system error's code, or the reason, for which it cannot be read. */
  readError?: string;
  /**
   * Set while the file may be half-written: since when it has its current signature, and since when it may be
   * half-written.
   */
  halfWritten?: { signature: string; since: number; first: number };
}

/** The result of reading a file. `half-written`: read again soon. */
type ReadResult = 'same' | 'changed' | 'half-written' | 'gone' | 'folder';

/** How long a possibly half-written file must stay unchanged to be accepted, in milliseconds. */
export interface HalfWrittenRule {
  readonly unchangedMs: number;
  /** A file that is written to continuously is accepted after this. */
  readonly unchangedMsMax: number;
}

/** The files of a folder, as last read. */
interface FileReader {
  readonly files: ReadonlyMap<string, FileState>;
  /** Paths of files that may be half-written, as last read. */
  readonly halfWritten: ReadonlySet<string>;
  /** Paths of files with something to report. */
  readonly withFindings: ReadonlySet<string>;
  /** Reads one file, by its path below the root. `now`: the clock's time. */
  read(path: string, now: number): Promise<ReadResult>;
  forget(path: string): void;
}

/**
 * Creates a reader of files below `root`; messages name them below `shown`. A text that ends within a line,
 * is not YAML or has invalid objects may be half-written: it is accepted only once the file has stayed
 * unchanged for a moment.
 */
export function createFileReader(root: string, shown: string, rule: HalfWrittenRule): FileReader {
  const files = new Map<string, FileState>();
  const halfWritten = new Set<string>();
  const withFindings = new Set<string>();

  function mayBeHalfWritten(
    state: FileState,
    content: FileContent,
    signature: string,
    stable: boolean,
    now: number,
  ): boolean {
    const { text } = content;
    // May be a truncated write (editor, full disk): wait longer before accepting it.
    const emptied = content.documents.size === 0 && state.entries.length > 0;
    const suspect = emptied || !stable || content.faulty || (text !== '' && !text.endsWith('\n'));
    // An accepted version is not suspected again.
    if (!suspect || (stable && state.content?.text === text)) return false;
    const doubt = state.halfWritten;
    const waitMs = emptied ? rule.unchangedMsMax : rule.unchangedMs;
    if (doubt?.signature === signature && now - doubt.since >= waitMs) return false;
    if (!emptied && doubt !== undefined && now - doubt.first >= rule.unchangedMsMax) return false;
    if (doubt?.signature !== signature)
      state.halfWritten = { signature, since: now, first: doubt?.first ?? now };
    return true;
  }

  function fail(path: string, state: FileState, code: string): ReadResult {
    const isNews = state.readError !== code;
    state.readError = code;
    withFindings.add(path);
    files.set(path, state);
    return isNews ? 'changed' : 'same';
  }

  return {
    files,
    halfWritten,
    withFindings,
    async read(path, now) {
      halfWritten.delete(path);
      const state = files.get(path) ?? { signature: '', content: undefined, entries: [] };
      let read: Awaited<ReturnType<typeof readStable>>;
      try {
        read = await readStable(join(root, path));
      } catch (reason) {
        const code = systemErrorCode(reason);
        if (code === 'ENOENT' || code === 'ENOTDIR') {
          withFindings.delete(path);
          return files.delete(path) ? 'gone' : 'same';
        }
        if (code === 'EISDIR') return 'folder';
        return fail(path, state, code);
      }
      files.set(path, state);
      const { signature, text, stable } = read;
      const same = state.content?.text === text;
      let content: FileContent;
      try {
        content =
          same && state.content ? state.content : await contentOf(join(shown, path), read, state.content);
      } catch (reason) {
        // An error of one file must not affect the others.
        return fail(path, state, systemErrorCode(reason));
      }
      if (mayBeHalfWritten(state, content, signature, stable, now)) {
        halfWritten.add(path);
        return 'half-written';
      }
      const recovered = state.readError !== undefined;
      delete state.halfWritten;
      delete state.readError;
      if (content.problems.length > 0) withFindings.add(path);
      else withFindings.delete(path);
      state.signature = signature;
      if (same) return recovered ? 'changed' : 'same';
      state.kept = keptOf(content, state.entries);
      state.entries = [...content.entries, ...state.kept];
      state.content = content;
      return 'changed';
    },
    forget(path) {
      files.delete(path);
      halfWritten.delete(path);
      withFindings.delete(path);
    },
  };
}

/** Largest file read: a log or a disk image with a wrong name must not exhaust memory. */
const fileMiBMax = 256;
/** The same in bytes. */
export const registryFileBytesMax = fileMiBMax * 2 ** 20;

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
    if (stats.size > registryFileBytesMax)
      throw new Error(`it is larger than ${fileMiBMax} MiB; split it, or move it away`);
    const signature = signatureOf(stats);
    const bytes = await readOpened(handle, registryFileBytesMax);
    const stable = signatureOf(await handle.stat()) === signature;
    const decoded = decodeText(bytes);
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
  previous: FileContent | undefined,
): Promise<FileContent> {
  if (encoding === undefined) return await readContent(file, text, previous);
  return misencodedContent(file, text, encoding);
}

/**
 * Entries that a file had before and does not show, but may still contain: an unclear document may be any
 * whose name is in its text, or any at all if it has no name or the file may be truncated.
 */
function keptOf(
  { entries, unclear, cut }: FileContent,
  before: readonly ObjectEntry[],
): readonly ObjectEntry[] {
  if (unclear.length === 0 && !cut) return [];
  const keys = new Set(entries.map(({ key }) => key));
  const unseen = before.filter(({ key }) => !keys.has(key));
  if (cut) return unseen;
  const words = new Set(unclear.flatMap((text) => text.split(/[^A-Za-z0-9.-]+/)));
  const named = unseen.filter(({ ref }) => words.has(ref.name));
  return named.length > 0 ? named : unseen;
}

import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** Output of lines that never blocks. */
interface LineSink {
  /** Writes a line, with its line break; drops it if more than `pendingBytesMax` are pending. */
  write(line: string): void;
  /**
   * Resolves when pending lines are written, after `graceMs` at most: the rest is lost. Nothing may be
   * written after it.
   */
  close(graceMs: number): Promise<void>;
}

/** Behaviour when the reader is slow. */
interface SinkOptions {
  /** Most pending bytes; further lines are dropped. */
  readonly pendingBytesMax: number;
  /** The line that reports dropped lines, written once there is room. */
  readonly dropped: (lines: number) => string;
}

/**
 * Standard error without blocking: a pipe or a socket is made non-blocking, and unwritten data buffered up to
 * a limit. Node's `process.stderr` blocks on a pipe (Node.js, "process I/O"). A file or a terminal is written
 * at once; what it does not take, as its disk is full or the terminal is gone, is dropped and counted
 * likewise.
 */
export function openStderr(clock: Clock, options: SinkOptions, fd = 2): LineSink {
  const stat = fstatSync(fd);
  if (!stat.isFIFO() && !stat.isSocket()) return openFile(fd, options.dropped);
  const pipe = new Socket({ fd, readable: false, writable: true });
  pipe.unref();
  let lost = 0;
  let open = true;
  // The reader is gone.
  pipe.on('error', () => {
    open = false;
  });
  pipe.on('drain', () => {
    if (lost === 0 || !open) return;
    const lines = lost;
    lost = 0;
    pipe.write(options.dropped(lines));
  });
  return {
    write(line) {
      if (!open) return;
      if (pipe.writableLength > options.pendingBytesMax) lost += 1;
      else pipe.write(line);
    },
    async close(graceMs) {
      if (!open || pipe.writableLength === 0) return;
      // Destroyed only if nobody reads: other writers to standard error can continue.
      const cut = clock.after(graceMs, () => pipe.destroy());
      await new Promise<void>((resolve) => {
        pipe.write('', () => resolve());
        pipe.once('close', resolve);
      });
      cut.cancel();
    },
  };
}

/** A file or a terminal. */
function openFile(fd: number, dropped: SinkOptions['dropped']): LineSink {
  let lost = 0;
  // The last line was written only in part.
  let isCut = false;
  return {
    write(line) {
      const bytes = Buffer.from(`${isCut ? '\n' : ''}${lost > 0 ? dropped(lost) : ''}${line}`);
      try {
        const taken = writeSync(fd, bytes);
        isCut = taken < bytes.length && (taken > 0 || isCut);
        lost = taken < bytes.length ? lost + 1 : 0;
      } catch {
        lost += 1;
      }
    },
    close: async () => {},
  };
}

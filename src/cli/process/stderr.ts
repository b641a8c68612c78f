import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** Where lines go without ever being waited for. */
interface LineSink {
  /** Takes one line, with its line break; drops it where more than `pendingBytesMax` wait to be read. */
  write(line: string): void;
  /**
   * Resolves when what waits was read, after `graceMs` at most: the rest is lost then. Nothing may be written
   * after it.
   */
  close(graceMs: number): Promise<void>;
}

/** How a sink that nobody reads behaves. */
interface SinkOptions {
  /** Bytes that may wait for the reader; what comes while more do is dropped. */
  readonly pendingBytesMax: number;
  /** A line that says how many were dropped, once there is room again. */
  readonly dropped: (lines: number) => string;
}

/**
 * The standard error, written so that its reader cannot stop the process: a pipe or a socket is made
 * non-blocking, takes what fits and keeps the rest, up to a limit. Node's own `process.stderr` waits for the
 * reader of a pipe (Node.js, "process I/O"). A file or a terminal is written at once; what it does not take,
 * as its disk is full or the terminal is gone, is dropped and counted likewise.
 */
export function openStderr(clock: Clock, options: SinkOptions, fd = 2): LineSink {
  const stat = fstatSync(fd);
  if (!stat.isFIFO() && !stat.isSocket()) return openFile(fd, options.dropped);
  const pipe = new Socket({ fd, readable: false, writable: true });
  pipe.unref();
  let lost = 0;
  let open = true;
  // The reader is gone: there is nobody to tell.
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
      // Destroyed only where nobody reads: whoever else writes to the standard error still can.
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
  // Only a part of the last line was taken.
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

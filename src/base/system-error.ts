/** Why a pipe, a socket or a device is not read. */
export const notRegularFile = 'it is a pipe, a socket or a device; remove it, or give it another name';

/** The code of a system error, such as ENOENT; else its message. */
export function systemErrorCode(reason: unknown): string {
  if (reason instanceof Error) return (reason as NodeJS.ErrnoException).code ?? reason.message;
  return String(reason);
}

const words: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it is not a folder',
  EEXIST: 'there is a file of this name',
  EACCES: 'no permission',
  EPERM: 'no permission',
  ELOOP: 'symbolic links form a circle',
  EISDIR: 'it is a folder',
  ENXIO: notRegularFile,
  EIO: 'the disk reports an error',
  ESTALE: 'the network file system has lost it',
  EMFILE: 'too many open files',
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** The description of a system error's code, with the code. */
export function describeErrorCode(code: string): string {
  const text = words[code];
  return text === undefined ? code : `${text} (${code})`;
}

/** The description of a failed system call. */
export function describeSystemError(reason: unknown): string {
  return describeErrorCode(systemErrorCode(reason));
}

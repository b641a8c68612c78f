import { inspect } from 'node:util';
import { MeshError } from './error.ts';
import { packageVersion } from './package/version.ts';
import { describeErrorCode } from './system-error.ts';
import { printableLines } from './text/safe-excerpt.ts';

/**
 * What is said of an error that ends a command, in one line. An error of ours is told as it is, with the
 * place that it names; a failed system call in words. Any other is a fault of Isthmus itself: the line says
 * so, with what a report needs, and with `ISTHMUS_DEBUG` in `env` the stack follows it. What comes from
 * elsewhere, such as a server's answer, cannot control a terminal: invisible characters are `\u{...}`.
 */
export function failureText(reason: unknown, env: NodeJS.ProcessEnv = process.env): string {
  return printableLines(textOf(reason, env));
}

function textOf(reason: unknown, env: NodeJS.ProcessEnv): string {
  const { code, message, ref, cause } = MeshError.from(reason);
  if (code !== 'internal') return ref === undefined || message.includes(ref) ? message : `${ref}: ${message}`;
  // Of an error that was wrapped on its way, the one that was thrown first.
  const thrown = cause ?? reason;
  const system = systemText(thrown);
  if (system !== undefined) return system;
  const isDebugged = !['', '0', undefined].includes(env.ISTHMUS_DEBUG);
  return `${faultText(thrown)}${isDebugged ? `\n${inspect(reason)}` : ''}`;
}

/** A system call that failed, in words; undefined: it is another error. */
function systemText(reason: unknown): string | undefined {
  if (!(reason instanceof Error)) return undefined;
  const { code, syscall, path } = reason as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  return `${syscall}${path === undefined ? '' : ` ${path}`}: ${describeErrorCode(code)}`;
}

function faultText(reason: unknown): string {
  const whole = reason instanceof Error ? reason.message : String(reason);
  const message = whole.split('\n', 1)[0] ?? '';
  if ((reason as NodeJS.ErrnoException)?.code === 'ERR_MODULE_NOT_FOUND')
    return `the installation is incomplete: ${message}. Install Isthmus again.`;
  return `internal error: ${message}. This is a fault of Isthmus ${packageVersion} (Node ${process.version}), please report it; ISTHMUS_DEBUG=1 prints the stack too.`;
}

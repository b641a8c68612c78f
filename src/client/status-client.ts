import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { callHttp, type HttpAnswer } from './http-call.ts';

/** The longest silence of a control plane that is asked for its state, in milliseconds. */
const answerMsMax = 10_000;

/**
 * Asks a control plane for a page of its admin address, such as `/status`, and reads its JSON. Throws MeshError `unavailable`
 * where no control plane answers, and `not-found` where it says that no such node is connected.
 */
export async function askStatus(admin: ListenAddress, path: string): Promise<unknown> {
  const where = showAddress(admin);
  let answer: HttpAnswer;
  try {
    answer = await callHttp({ at: admin, path, silenceMsMax: answerMsMax });
  } catch (cause) {
    const message = `no control plane answers at ${where}: ${(cause as Error).message}. Is it running? Give its address with --admin`;
    throw new MeshError('unavailable', message, { cause });
  }
  // An Envoy's admin interface answers 404, too.
  if (answer.status === 404 && /\bconnected\b/.test(answer.text))
    throw new MeshError('not-found', detailOf(answer.text));
  const isStatus = answer.status === 200 && /^\s*[[{]/.test(answer.text);
  if (!isStatus)
    throw new MeshError(
      'unavailable',
      `${where} is no admin address of a control plane: ${path} answers ${answer.status}, ${firstLine(answer.text)}. Give its address with --admin, which is not that of an Envoy`,
    );
  return JSON.parse(answer.text);
}

/** The words of a refusal: problem details (RFC 9457), or the text of a control plane of version 0.1.0. */
function detailOf(text: string): string {
  try {
    return String(JSON.parse(text).detail);
  } catch {
    return text.trim();
  }
}

/** The beginning of a text, for an error. */
function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return JSON.stringify(line.length > 100 ? `${line.slice(0, 100)}…` : line);
}

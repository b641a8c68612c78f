import { statSync } from 'node:fs';
import { MeshError } from '../../base/error.ts';
import { readClientToken } from '../../client/registration-client.ts';
import { readToken } from '../../client/token.ts';
import { askToken, type TokenAnswer } from '../../client/who-client.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { Found } from './check-line.ts';

/** Permission of everybody to read a file; that of a group is as docs/production.md has it. */
const everybodyReads = 0o004;

/** Whether the token of a file, or else of the environment, is accepted, and who may read the file. */
export async function checkTokens(
  planes: readonly ListenAddress[],
  tokenFile: string | undefined,
): Promise<readonly Found[]> {
  const file = tokenFile ?? process.env.ISTHMUS_TOKEN_FILE;
  const modes = file === undefined || file === '' ? [] : [checkTokenFile(file, '--token-file')];
  let token: string | undefined;
  try {
    token = readClientToken(tokenFile, process.env);
  } catch {
    return modes;
  }
  if (token === undefined || token === '') return [withoutToken];
  const known = token;
  return [...modes, ...(await Promise.all(planes.map((where) => checkAt(where, known))))];
}

const withoutToken: Found = {
  ...{ result: 'not seen', what: 'token', tried: 'nothing', found: 'none was given' },
  todo: 'give --token-file, ISTHMUS_TOKEN_FILE or ISTHMUS_TOKEN to have it checked',
};

/** Whether a file can be read, and not by everybody. `option`: the option that names it. */
export function checkTokenFile(file: string, option: string): Found {
  const common = { what: `${file}, token`, tried: 'reading it, and its mode' };
  try {
    readToken(file, option);
    const mode = statSync(file).mode & 0o777;
    const found = `readable, mode ${mode.toString(8).padStart(4, '0')}`;
    if ((mode & everybodyReads) === 0) return { ...common, result: 'ok', found };
    return { ...common, result: 'warn', found: `${found}: everybody may read it`, todo: `chmod o-r ${file}` };
  } catch (reason) {
    const todo = 'correct the path, or who may read it';
    return { ...common, result: 'fail', found: MeshError.from(reason).message, todo };
  }
}

async function checkAt(where: ListenAddress, token: string): Promise<Found> {
  const common = { what: `token, at ${showAddress(where)}`, tried: 'GET /v1/token, which changes nothing' };
  try {
    return { ...common, ...judge(await askToken(where, token)) };
  } catch (reason) {
    return { ...common, result: 'not seen', found: MeshError.from(reason).message };
  }
}

function judge(answer: TokenAnswer): Pick<Found, 'result' | 'found' | 'todo'> {
  if (!answer.isRefused) {
    const { registrations, evacuations } = answer.body;
    const uses = [
      registrations ? 'instances may register' : 'registrations are off (--registrations)',
      evacuations ? 'evacuations may be put' : 'evacuations by the API are off (--state)',
    ];
    return { result: 'ok', found: `accepted; ${uses.join(', ')}` };
  }
  if (answer.status === 404) return { result: 'not seen', found: 'the control plane is too old to say' };
  if (answer.status === 403)
    return { result: 'warn', found: answer.detail, todo: 'give the control plane --admin-token-file' };
  const todo = 'use the token in the file of --admin-token-file of isthmus serve, which is read at its start';
  return { result: 'fail', found: answer.detail, todo };
}

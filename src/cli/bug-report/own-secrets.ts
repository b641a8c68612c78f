import { readClientToken } from '../../client/registration-client.ts';

/** Names of variables whose values are secret. */
const secretVariable = /PASS|PWD$|SECRET|TOKEN|CREDENTIAL|_KEY$|AUTH/i;

/** Variables that only say where a secret is, or are no secret. */
const harmless = /_(?:FILE|PATH|SOCK|DIR|URL)$|^(?:OLD)?PWD$/;

/**
 * Secrets that this command has been given: the token of `tokenFile` or of the environment, and values of
 * variables whose names say so. A report has none of them, wherever they come from.
 */
export function ownSecrets(tokenFile: string | undefined, environment: NodeJS.ProcessEnv): readonly string[] {
  const values = Object.entries(environment).flatMap(([name, value = '']) =>
    secretVariable.test(name) && !harmless.test(name) ? [value.trim()] : [],
  );
  return [...values, ...tokenOf(tokenFile, environment)];
}

function tokenOf(tokenFile: string | undefined, environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    const token = readClientToken(tokenFile, environment);
    return token === undefined ? [] : [token];
  } catch {
    // Without a token nothing is to be hidden; `isthmus check` says what is wrong with the file.
    return [];
  }
}

/** Names, and not values, of the variables that change what Isthmus and Node.js do. */
export function variableNames(environment: NodeJS.ProcessEnv): readonly string[] {
  return Object.keys(environment)
    .filter((name) => /^(?:ISTHMUS_|NODE_|ENVOY_BIN$|XDG_CACHE_HOME$|TZ$|LANG$)/.test(name))
    .sort();
}

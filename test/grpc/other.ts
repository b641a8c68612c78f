// Loaded before a program (node --import): takes @grpc/grpc-js from below the folder ISTHMUS_TEST_GRPC, and
// notes there that it did.
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const home = process.env.ISTHMUS_TEST_GRPC;

if (home !== undefined)
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== '@grpc/grpc-js') return next(specifier, context);
      const found = next(specifier, { ...context, parentURL: pathToFileURL(join(home, 'index.js')).href });
      appendFileSync(join(home, 'loads'), `${found.url}\n`);
      return found;
    },
  });

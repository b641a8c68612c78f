// Loaded before a program (node --import): changes its sources as they are loaded, and so takes a protection
// away that no option switches off. ISTHMUS_TEST_WITHOUT: a list of Replacement as JSON. Ends the program
// where one finds nothing to replace.
import { registerHooks } from 'node:module';
import type { Replacement } from './served.ts';

const replacements = JSON.parse(process.env.ISTHMUS_TEST_WITHOUT ?? '[]') as Replacement[];

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const mine = replacements.filter(({ file }) => url.endsWith(file));
    if (mine.length === 0) return loaded;
    let source = String(loaded.source);
    for (const { file, from, to } of mine) {
      if (!source.includes(from)) throw new Error(`${file} has no '${from}'`);
      source = source.replace(from, to);
    }
    return { ...loaded, source };
  },
});

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { SourceFile } from './tidy-source.ts';

/** Every text file of the tree below `root` that .gitignore does not leave out. */
export function readTree(root: string): SourceFile[] {
  const ignored = ignoredBy(readFileSync(join(root, '.gitignore'), 'utf8'));
  const files: SourceFile[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (ignored(entry.isDirectory() ? `${path}/` : path)) continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) {
        const text = readFileSync(join(root, path), 'utf8');
        if (!text.includes('\0')) files.push({ path, text });
      }
    }
  };
  visit('');
  return files;
}

/** The patterns that we use: `name/` or `a/b/` for folders, `*.ext` and `name` for files. */
function ignoredBy(gitignore: string): (path: string) => boolean {
  const patterns = ['.git/', ...gitignore.split('\n').map((line) => line.trim())].filter((line) =>
    /^[^#]/.test(line),
  );
  return (path) =>
    patterns.some((pattern) => {
      if (pattern.startsWith('*')) return path.endsWith(pattern.slice(1));
      const anchored = pattern.startsWith('/') ? pattern.slice(1) : pattern;
      return path === anchored || (!pattern.startsWith('/') && path.endsWith(`/${pattern}`));
    });
}

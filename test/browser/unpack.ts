import { spawnSync } from 'node:child_process';
import { chmodSync, createReadStream, createWriteStream, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';

// node test/browser/unpack.ts FOLDER: unpacks the Chromium of the package @sparticuz/chromium, which was
// installed into FOLDER, to FOLDER/chromium, with the libraries and fonts that it needs where the machine
// lacks them.

const [folder = ''] = process.argv.slice(2);
const packed = (name: string) => join(folder, 'node_modules/@sparticuz/chromium/bin', `${name}.br`);
const unpack = (name: string, to: string) =>
  pipeline(createReadStream(packed(name)), createBrotliDecompress(), createWriteStream(to));

for (const name of ['al2023.tar', 'fonts.tar', 'swiftshader.tar']) {
  const archive = join(folder, name);
  await unpack(name, archive);
  const { status, stderr } = spawnSync('tar', ['-xf', archive, '-C', folder]);
  if (status !== 0) throw new Error(`tar could not unpack ${archive}: ${stderr}`);
  rmSync(archive);
}
// The package's own names folders of another machine. Letters that its font lacks come from this machine's.
const dirs = [join(folder, 'fonts'), '/usr/share/fonts'].map((dir) => `<dir>${resolve(dir)}</dir>`);
writeFileSync(
  join(folder, 'fonts.conf'),
  `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>${dirs.join('')}<cachedir>${resolve(folder)}/fonts-cache</cachedir></fontconfig>\n`,
);
// Last: what is there is whole.
const browser = join(folder, 'chromium');
await unpack('chromium', `${browser}.part`);
chmodSync(`${browser}.part`, 0o755);
renameSync(`${browser}.part`, browser);

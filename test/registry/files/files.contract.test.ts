import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { createFilesSource } from '../../../src/registry/files/files-source.ts';
import { sourceContract } from '../contract.ts';
import { type RawObject, toYaml } from '../objects.ts';

// Once with each object in a file of its own, once with all in one file, replaced as editors do.
sourceContract('files, one for each object', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-contract-'));
  const path = ({ kind, metadata }: RawObject) => join(folder, `${kind}-${metadata.name}.yaml`);
  return {
    createSource: () => createFilesSource({ folder, clock: systemClock }),
    put: (object) => writeFile(path(object), toYaml(object)),
    remove: (object) => rm(path(object)),
    close: () => rm(folder, { recursive: true }),
  };
});

sourceContract('files, one for all', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-contract-'));
  const objects = new Map<string, RawObject>();
  const key = ({ kind, metadata }: RawObject) => `${kind}/${metadata.name}`;
  const save = async () => {
    await writeFile(join(folder, '.mesh.yaml.new'), toYaml(...objects.values()));
    await rename(join(folder, '.mesh.yaml.new'), join(folder, 'mesh.yaml'));
  };
  return {
    createSource: () => createFilesSource({ folder, clock: systemClock }),
    put: (object) => {
      objects.set(key(object), object);
      return save();
    },
    remove: (object) => {
      objects.delete(key(object));
      return save();
    },
    close: () => rm(folder, { recursive: true }),
  };
});

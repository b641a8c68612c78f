import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { replaceFileSync } from '../../base/files/replace-file.ts';
import { registryObjects, workloadObject } from './registry-objects.ts';
import type { IdcPlan, InstancePlan, Topology } from './topology.ts';

/** Writes the registry folder of an IDC: one file for each object. */
export function writeRegistry(dir: string, topology: Topology, idc: IdcPlan): void {
  mkdirSync(dir, { recursive: true });
  for (const { name, object } of registryObjects(topology, idc)) save(dir, `${name}.yaml`, object);
}

/**
 * Saves the WorkloadEntry of an instance with a weight (≥ 1): an endpoint edit, as an editor does it, by
 * rename.
 */
export function saveInstance(dir: string, topology: Topology, instance: InstancePlan, weight: number): void {
  save(dir, `workloadentry-${instance.name}.yaml`, workloadObject(topology, instance, weight));
}

/** Saves an object of a name of its own in a registry folder, or changes it. */
export function saveObject(dir: string, name: string, object: object): void {
  save(dir, `${name}.yaml`, object);
}

/** Removes what `saveObject` saved. */
export function removeObject(dir: string, name: string): void {
  rmSync(join(dir, `${name}.yaml`), { force: true });
}

/** Removes the WorkloadEntry of an instance from the registry. */
export function removeInstance(dir: string, instance: InstancePlan): void {
  rmSync(join(dir, `workloadentry-${instance.name}.yaml`), { force: true });
}

function save(dir: string, name: string, object: object): void {
  replaceFileSync(join(dir, name), stringify(object));
}

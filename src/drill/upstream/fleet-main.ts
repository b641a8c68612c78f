// Entry point of the process of light ADS clients: node fleet-main.ts PLAN-AS-JSON
// Prints a FleetReport for each line on standard input, and ends at its end.
import { createInterface } from 'node:readline';
import { machineClock } from '../time.ts';
import { type FleetPlan, startFleet } from './fleet.ts';

const plan: FleetPlan = JSON.parse(process.argv[2] ?? '{}');
const fleet = startFleet(plan, machineClock);
const lines = createInterface({ input: process.stdin });
lines.on('line', () => process.stdout.write(`${JSON.stringify(fleet.report())}\n`));
lines.on('close', () => process.exit(0));

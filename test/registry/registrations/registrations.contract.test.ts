import { sourceContract } from '../contract.ts';
import { registrationWorld } from './registration-world.ts';

sourceContract('registrations', async () => registrationWorld());

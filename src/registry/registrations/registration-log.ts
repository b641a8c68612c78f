import type { Logger } from '../../base/log.ts';
import { keyText, type Registration } from './registration.ts';
import type { RegistrationOp } from './registration-rules.ts';

/** What instances and operators ask for. Renewals change nothing, and the rest is logged where it happens. */
const told: readonly RegistrationOp['type'][] = ['register', 'drain', 'resume', 'deregister'];

/** Logs an operation that changed a registration: one line, whatever the number of proxies. */
export function logRegistration(logger: Logger, op: RegistrationOp, is: Registration | undefined): void {
  if (!told.includes(op.type)) return;
  logger.info('registration', {
    ...{ op: op.type, registration: keyText(op.key) },
    ...(is && { generation: is.generation, state: is.state, address: is.spec.address }),
  });
}

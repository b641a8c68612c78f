import type { HostReason } from './who.ts';

/** What each reason says of a host, in words after its name. */
export const hostReasonWords: Readonly<Record<HostReason, string>> = {
  'check-failed': 'fails its health check',
  'check-timeout': 'health check times out',
  'not-checked': 'not checked yet',
  'told-unhealthy': 'says that it cannot serve',
  ejected: 'ejected by outlier detection',
  'declared-unhealthy': 'declared unhealthy',
  drained: 'drained',
  'last-resort': 'last resort while evacuated',
  degraded: 'degraded by its health check',
  'being-removed': 'being removed',
};

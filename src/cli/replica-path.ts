/** Where one control plane asks another for its registrations. */
export const replicaPath = '/v1/replica';

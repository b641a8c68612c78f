/** Where one control plane asks another for its registrations. */
export const replicaPath = '/v1/replica';
/** Where it asks for its evacuations. */
export const evacuationReplicaPath = '/v1/replica/evacuations';

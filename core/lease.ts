/** The longest lease and the default one, in seconds: 768 hours, as in Vault. */
export const SYSTEM_LEASE_TTL = 2_764_800;

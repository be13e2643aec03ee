// Ranges of user ids for user namespaces.
#pragma once

#include <stdint.h>

/// Locks the ids from `base` on in /run/systemd/nspawn-uid, as systemd-nspawn does, and makes sure that no user or group of the
/// host has the first of them. Returns the descriptor of the lock, or -errno; -EBUSY: somebody has them.
int lockIds(uint32_t base, uint32_t size);

/// Whether mounts of the directory's file system can show other owners (mount_setattr(2), MOUNT_ATTR_IDMAP; Linux 5.12).
bool mapsOwners(int directory);

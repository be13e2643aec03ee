// What kernel.hh does where the kernel is older than a call, down to 2.6.32. The new call is always tried first, and so costs nothing
// more where it is there. `old` in these names means that the caller has been told that the kernel does not know the new one.
#pragma once

#include <stddef.h>

struct statx;
struct rlimit64;

namespace sys {

/// statx(2) (4.11) by fstatat(2): everything but a file's birth time.
long statOld(int dir, const char* path, int flags, struct statx* to);

/// A descriptor for a place (O_PATH, 2.6.39). An older kernel ignores the flag and opens in earnest: then at least without waiting for
/// the other end of a FIFO. A filter may also refuse the flag.
long openPlace(int dir, const char* path, int flags);

/// prlimit(2) (2.6.36) of this process by getrlimit(2) and setrlimit(2); -ENOSYS for another one.
long limitOld(long pid, int resource, const rlimit64* to, rlimit64* old);

/// close_range(2) (5.9), to the end.
void closeOld(unsigned first);
void closeOnExecOld(unsigned first);

/// A lock of an open file (3.15) by flock(2), which is of the open file as well: F_RDLCK, F_WRLCK or F_UNLCK.
long lockOld(int fd, short type);

/// getrandom(2) (3.17) by /dev/urandom.
long randomOld(void* to, size_t n);

}  // namespace sys

// What takes the place of something that a tree has already.
#pragma once

#include "sys/kernel.hh"

/// Makes the symbolic link `name` in the directory, over a file or an empty directory that is there. One that says the same,
/// also from the root on instead of by `..`, stays. Returns 0 or -errno.
long replaceByLink(int dir, const char* name, const char* target);

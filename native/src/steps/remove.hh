// Removal of whole trees; the addon uses it too.
#pragma once

/// Removes everything below a directory: cgroups, or, with `files`, all kinds of files.
void removeBelow(int top, bool files);

/// Removes the directory at `path`, of which `directory` is a descriptor, with everything in it. Nothing outside of it is touched,
/// whoever renames parts of it meanwhile.
/// Removes what is in a directory. Where this process may make no mounts it goes no deeper than it has descriptors.
void emptyDirectory(int directory);
void removeDirectory(int directory, const char* path);

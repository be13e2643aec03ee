// What is bound into the tree: /bound and /readonly are directories of the host, /boundfile is a file, /covered covers a directory.
#include <sys/statfs.h>

#include "case.h"

CASE("a directory of the host is at its place") {
  TEXT(open("/bound/file", O_RDONLY));
  TEXT(open("/bound/../conformance/mark", O_RDONLY));
  TEXT(open("/bound/sub/../file", O_RDONLY));
  char text[256];
  DO(chdir("/bound/sub"));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  TEXT(open("../file", O_RDONLY));
  TEXT(open("../../conformance/mark", O_RDONLY));
  DO(chdir("../.."));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
}

CASE("files are made, changed and removed in it") {
  put("/bound/new", "new\n");
  TEXT(open("/bound/new", O_RDONLY));
  DO(mkdir("/bound/dir", 0755));
  DO(rename("/bound/new", "/bound/dir/new"));
  DO(link("/bound/dir/new", "/bound/hard"));
  DO(unlink("/bound/hard"));
  DO(unlink("/bound/dir/new"));
  DO(rmdir("/bound/dir"));
}

CASE("a file of the host is at its place") {
  struct stat info;
  TEXT(open("/boundfile", O_RDONLY));
  HOLDS(stat("/boundfile", &info) == 0 && S_ISREG(info.st_mode));
  OPEN(open("/boundfile/x", O_RDONLY));
  DO(unlink("/boundfile"));
  DO(rename("/boundfile", "/other"));
}

CASE("what is bound covers what was there") {
  TEXT(open("/covered/file", O_RDONLY));
  OPEN(open("/covered/hidden", O_RDONLY));
  TEXT(openat(open("/covered", O_RDONLY), "file", O_RDONLY));
}

CASE("what is bound read-only is not changed") {
  TEXT(open("/readonly/file", O_RDONLY));
  OPEN(open("/readonly/file", O_WRONLY));
  OPEN(open("/readonly/file", O_RDWR));
  OPEN(open("/readonly/file", O_RDONLY | O_TRUNC));
  OPEN(open("/readonly/new", O_CREAT | O_WRONLY, 0644));
  DO(mkdir("/readonly/dir", 0755));
  DO(unlink("/readonly/file"));
  DO(rename("/readonly/file", "/readonly/x"));
  DO(symlink("x", "/readonly/link"));
  DO(chmod("/readonly/file", 0600));
  DO(chown("/readonly/file", 1, 1));
  DO(truncate("/readonly/file", 0));
  DO(utimensat(AT_FDCWD, "/readonly/file", NULL, 0));
  DO(access("/readonly/file", W_OK));
  DO(access("/readonly/file", R_OK));
  int fd = open("/readonly/file", O_RDONLY);
  DO(fchmod(fd, 0600));
  DO(fchown(fd, 1, 1));
  int dir = open("/readonly", O_RDONLY);
  OPEN(openat(dir, "new", O_CREAT | O_WRONLY, 0644));
  DO(unlinkat(dir, "file", 0));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OPEN(open(path, O_WRONLY));
}

CASE("between places that are bound files are copied, not renamed or linked") {
  put("file", "x");
  DO(rename("file", "/bound/x"));
  DO(link("file", "/bound/x"));
  DO(rename("/bound/file", "/conformance/x"));
}

CASE("a place where something is bound is busy") {
  DO(rmdir("/bound"));
  DO(rename("/bound", "/elsewhere"));
  DO(unlink("/boundfile"));
  DO(mkdir("/bound", 0755));
}

CASE("links of a bound directory lead to places of the tree") {
  unlink("/bound/link"), unlink("/bound/near");
  DO(symlink("/conformance/mark", "/bound/link"));
  TEXT(open("/bound/link", O_RDONLY));
  DO(symlink("file", "/bound/near"));
  TEXT(open("/bound/near", O_RDONLY));
  symlink("/bound", "way");
  TEXT(open("way/file", O_RDONLY));
  TEXT(open("way/../conformance/mark", O_RDONLY));
}

CASE("places that are bound are listed in their directory") {
  DIR* list = opendir("/");
  int bound = 0, file = 0;
  for (struct dirent* entry; list && (entry = readdir(list));) bound += strcmp(entry->d_name, "bound") == 0, file += strcmp(entry->d_name, "boundfile") == 0;
  VALUE(bound);
  VALUE(file);
}

CASE("descriptors below a bound directory") {
  int dir = open("/bound/sub", O_RDONLY | O_DIRECTORY), top = open("/bound", O_PATH);
  TEXT(openat(dir, "../file", O_RDONLY));
  TEXT(openat(dir, "../../conformance/mark", O_RDONLY));
  TEXT(openat(top, "../conformance/mark", O_RDONLY));
  TEXT(openat(top, "sub/../../conformance/mark", O_RDONLY));
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
  VALUE(readlink(path, text, sizeof text));
  SAY("name", "%s", text);
  fchdir(dir);
  SAY("getcwd", "%s", getcwd(text, sizeof text));
}

CASE("programs in a bound directory are executed") {
  CHILD("program", execl("/bound/program", "name", "arguments", NULL));
  CHILD("exe", execl("/bound/program", "name", "exe", NULL));
}

// Paths and descriptors of directories.
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <linux/openat2.h>
#include <utime.h>

#include "case.h"

static long openHow(int dir, const char* path, int flags, unsigned long resolve) {
  struct open_how how = {.flags = (unsigned long)flags, .mode = flags & O_CREAT ? 0644 : 0, .resolve = resolve};
  return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

static void names(void) {
  put("file", "hello\n");
  mkdir("dir", 0755);
  put("dir/inner", "inner\n");
  show("an absolute path", open(HOME "/file", O_RDONLY));
  show("a relative path", open("file", O_RDONLY));
  show("a path with dots", open("./dir/../file", O_RDONLY));
  show("slashes in a row", open("//conformance///dir//inner", O_RDONLY));
  show("above the root is the root", open("/../../conformance/file", O_RDONLY));
  show("many levels up", open("../../../../../../conformance/file", O_RDONLY));
  OPENS("a file is no directory", open("file/", O_RDONLY));
  OPENS("a file has no parent", open("file/../file", O_RDONLY));
  OPENS("a file has no dot", open("file/.", O_RDONLY));
  OPENS("nothing below a file", open("file/x", O_RDONLY));
  OPENS("an empty path", open("", O_RDONLY));
  OPENS("what is not there", open("nowhere", O_RDONLY));
  OPENS("nothing below what is not there", open("nowhere/x", O_CREAT | O_WRONLY, 0644));
  OPENS("a bad pointer", syscall(SYS_open, 8, O_RDONLY));
  char longName[300], longPath[5000];
  memset(longName, 'a', 299), longName[299] = 0;
  memset(longPath, 'a', 4999), longPath[4999] = 0;
  for (int i = 0; i < 4999; i += 2) longPath[i] = '/';
  OPENS("a name that is too long", open(longName, O_RDONLY));
  OPENS("a path that is too long", open(longPath, O_RDONLY));
  longName[255] = 0;
  OPENS("the longest name", open(longName, O_CREAT | O_WRONLY, 0644));
  DOES("it goes", unlink(longName));
}

static void directories(void) {
  char text[256];
  int dir = open("dir", O_RDONLY | O_DIRECTORY), file = open("file", O_RDONLY), path = open("dir", O_PATH);
  show("openat", openat(dir, "inner", O_RDONLY));
  show("openat with a descriptor of a path", openat(path, "inner", O_RDONLY));
  show("openat upwards", openat(dir, "../file", O_RDONLY));
  show("openat of an absolute path looks at no descriptor", openat(-1, HOME "/file", O_RDONLY));
  OPENS("openat with a bad descriptor", openat(999, "x", O_RDONLY));
  OPENS("openat with a file", openat(file, "x", O_RDONLY));
  DOES("mkdirat", mkdirat(dir, "sub", 0755));
  CALL("mkdirat of what is there", mkdirat(dir, "sub", 0755));
  DOES("mkdir with a slash", mkdir("dir/slash/", 0755));
  DOES("rmdir with a slash", rmdir("dir/slash/"));
  CALL("rmdir of what is not empty", rmdir("dir"));
  CALL("rmdir of a dot", rmdir("dir/."));
  DOES("unlinkat of a directory", unlinkat(dir, "sub", AT_REMOVEDIR));
  CALL("unlink of a directory", unlink("dir"));
  CALL("chdir to a file", chdir("file"));
  DOES("chdir", chdir("dir"));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  CALL("getcwd of too little", syscall(SYS_getcwd, text, 3));
  DOES("fchdir", fchdir(dir));
  DOES("chdir up", chdir(".."));
  SAY("getcwd after that", "%s", getcwd(text, sizeof text));
  mkdir("gone", 0755), chdir("gone"), rmdir("../gone");
  SAY("getcwd of a directory that has gone", "%s", getcwd(text, sizeof text) ? text : strerrorname_np(errno));
  OPENS("nothing can be made there", open("x", O_CREAT | O_WRONLY, 0644));
  chdir(HOME);
  int moved = (mkdir("old", 0755), open("old", O_RDONLY | O_DIRECTORY));
  rename("old", "new");
  DOES("a descriptor follows the directory", mkdirat(moved, "child", 0755));
  DOES("it is there under its new name", rmdir("new/child"));
  rmdir("new");
  close(dir), close(file), close(path), close(moved);
}

static void resolutions(void) {
  int dir = open("dir", O_PATH | O_DIRECTORY);
  symlink("/conformance/file", "absolute");
  symlink("../file", "dir/up");
  show("openat2", (int)openHow(dir, "inner", O_RDONLY, 0));
  show("openat2 in a root", (int)openHow(dir, "/inner", O_RDONLY, RESOLVE_IN_ROOT));
  show("openat2 in a root does not go above it", (int)openHow(dir, "../../inner", O_RDONLY, RESOLVE_IN_ROOT));
  OPENS("openat2 in a root keeps links in it", openHow(dir, "up", O_RDONLY, RESOLVE_IN_ROOT));
  OPENS("openat2 beneath", openHow(dir, "inner", O_RDONLY, RESOLVE_BENEATH));
  OPENS("openat2 beneath refuses to go up", openHow(dir, "../file", O_RDONLY, RESOLVE_BENEATH));
  OPENS("openat2 beneath refuses absolute paths", openHow(dir, "/conformance/file", O_RDONLY, RESOLVE_BENEATH));
  OPENS("openat2 without links", openHow(AT_FDCWD, "absolute", O_RDONLY, RESOLVE_NO_SYMLINKS));
  OPENS("openat2 with unknown rules", openHow(dir, "inner", O_RDONLY, 1ul << 40));
  OPENS("openat2 makes a file", openHow(dir, "made", O_CREAT | O_WRONLY, RESOLVE_IN_ROOT));
  DOES("in the directory", unlink("dir/made"));
  unlink("absolute"), unlink("dir/up");
  close(dir);
}

static void others(void) {
  struct stat info;
  struct statfs system;
  struct timeval times[2] = {{1000, 0}, {2000, 0}};
  struct timespec exact[2] = {{3000, 0}, {4000, 5}};
  DOES("truncate", truncate("file", 3));
  stat("file", &info);
  SAY("its size", "%ld", (long)info.st_size);
  CALL("truncate of a directory", truncate("dir", 0));
  DOES("statfs", statfs("file", &system));
  DOES("utimes", utimes("file", times));
  stat("file", &info);
  SAY("its time", "%ld", (long)info.st_mtime);
  DOES("utimensat", utimensat(AT_FDCWD, "file", exact, 0));
  stat("file", &info);
  SAY("its exact time", "%ld.%ld", (long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  int fd = open("file", O_RDWR);
  DOES("futimens", futimens(fd, exact));
  close(fd);
  int watch = inotify_init1(IN_NONBLOCK);
  DOES("inotify_add_watch", inotify_add_watch(watch, HOME "/dir", IN_CREATE));
  put("dir/seen", "");
  char event[512];
  long n = read(watch, event, sizeof event);
  SAY("it tells", "%s", n > 0 ? ((struct inotify_event*)event)->name : strerrorname_np(errno));
  unlink("dir/seen");
  close(watch);
  CALL("inotify_add_watch of nothing", inotify_add_watch(watch = inotify_init1(0), "nowhere", IN_CREATE));
  close(watch);
  OPENS("a file without a name", open("dir", O_TMPFILE | O_RDWR, 0644));
  OPENS("O_DIRECTORY of a file", open("file", O_RDONLY | O_DIRECTORY));
  OPENS("O_EXCL of what is there", open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
  OPENS("writing to a directory", open("dir", O_WRONLY));
  DIR* list = opendir("dir");
  int count = 0;
  while (readdir(list)) count++;
  closedir(list);
  SAY("entries of a directory", "%d", count);
  DOES("rename", rename("file", "dir/renamed"));
  DOES("rename back", syscall(SYS_renameat2, AT_FDCWD, "dir/renamed", AT_FDCWD, "file", 1 /* RENAME_NOREPLACE */));
  CALL("rename to what is there, without replacing", syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "dir/inner", 1));
  CALL("rename of a directory into itself", rename("dir", "dir/x"));
  CALL("rename of a file onto a directory", rename("file", "dir"));
  put("file", "hello\n");
}

void paths(void) {
  names();
  directories();
  resolutions();
  others();
}

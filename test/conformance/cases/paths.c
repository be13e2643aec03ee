// Names of files, and the calls that take one.
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <utime.h>

#include "case.h"

/// A file and a directory with a file, in the directory of the case.
static const char* here(const char* name) {
  static char path[4][256];
  static int turn;
  char directory[128];
  char* to = path[turn++ % 4];
  snprintf(to, sizeof path[0], "%s/%s", getcwd(directory, sizeof directory), name);
  return to;
}
static void files(void) {
  put("file", "hello\n");
  mkdir("dir", 0755);
  put("dir/inner", "inner\n");
}

CASE("an absolute path begins at the root of the tree") {
  files();
  TEXT(open(here("file"), O_RDONLY));
  TEXT(open("/conformance/mark", O_RDONLY));
}

CASE("a relative path begins at the current directory") {
  files();
  TEXT(open("file", O_RDONLY));
  TEXT(open("dir/inner", O_RDONLY));
  TEXT(open("./dir/.././file", O_RDONLY));
}

CASE("slashes in a row are one") {
  TEXT(open("//conformance///mark", O_RDONLY));
  TEXT(open("/./conformance/././mark", O_RDONLY));
}

CASE("above the root is the root") {
  TEXT(open("/../../conformance/mark", O_RDONLY));
  TEXT(open("../../../../../../../conformance/mark", O_RDONLY));
}

CASE("a file has nothing below it") {
  files();
  OPEN(open("file/", O_RDONLY));
  OPEN(open("file/.", O_RDONLY));
  OPEN(open("file/..", O_RDONLY));
  OPEN(open("file/../file", O_RDONLY));
  OPEN(open("file/x", O_RDONLY));
  OPEN(open("file/x", O_CREAT | O_WRONLY, 0644));
}

CASE("what is not there is not found") {
  files();
  OPEN(open("nowhere", O_RDONLY));
  OPEN(open("nowhere/x", O_RDONLY));
  OPEN(open("nowhere/../file", O_RDONLY));
  OPEN(open("nowhere/x", O_CREAT | O_WRONLY, 0644));
  OPEN(open("nowhere/", O_CREAT | O_WRONLY, 0644));
}

CASE("an empty path is no path") {
  struct stat info;
  OPEN(open("", O_RDONLY));
  DO(stat("", &info));
  DO(mkdir("", 0755));
  DO(unlink(""));
  DO(chdir(""));
}

CASE("a bad pointer is an error, not a death") {
  OPEN(syscall(SYS_open, 8, O_RDONLY));
  DO(syscall(SYS_stat, "/", 8));
  DO(syscall(SYS_mkdir, -1l, 0755));
  DO(syscall(SYS_rename, "/", 8));
  VALUE(syscall(SYS_readlink, "/proc/self/exe", 8, 100));
  VALUE(syscall(SYS_getcwd, 8, 100));
}

CASE("a path at the end of what is mapped can be read") {
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  memcpy(page + 4096 - 18, "/conformance/mark", 18);
  TEXT(open(page + 4096 - 18, O_RDONLY));
  page[4095] = 'x';
  OPEN(open(page + 4096 - 18, O_RDONLY));
}

CASE("names and paths that are too long") {
  char name[300], path[5000];
  memset(name, 'a', sizeof name), name[256] = 0;
  OPEN(open(name, O_RDONLY));
  OPEN(open(name, O_CREAT | O_WRONLY, 0644));
  name[255] = 0;
  OPEN(open(name, O_CREAT | O_WRONLY, 0644));
  DO(unlink(name));
  memset(path, 'a', sizeof path);
  for (int i = 0; i < 4999; i += 2) path[i] = '/';
  path[4999] = 0;
  OPEN(open(path, O_RDONLY));
  for (int i = 1; i < 4999; i += 2) path[i] = '.';
  path[4096] = 0;
  OPEN(open(path, O_RDONLY));
  path[4095] = 0;
  OPEN(open(path, O_RDONLY));
}

CASE("a deep directory is reached step by step, past the longest path") {
  char name[200];
  memset(name, 'd', sizeof name), name[199] = 0;
  int failed = 0;
  for (int i = 0; i < 18; i++) failed |= mkdir(name, 0755) < 0 || chdir(name) < 0;
  HOLDS(failed == 0);
  put("bottom", "bottom\n");
  TEXT(open("bottom", O_RDONLY));
  char cwd[8192];
  HOLDS(syscall(SYS_getcwd, cwd, sizeof cwd) > 3600);
  for (int i = 0; i < 18; i++) failed |= chdir("..") < 0;
  HOLDS(failed == 0);
}

CASE("getcwd says where the process is in the tree") {
  char text[256];
  files();
  DO(chdir("dir"));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  VALUE(syscall(SYS_getcwd, text, 3));
  DO(chdir(".."));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  DO(chdir("/"));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  DO(chdir("/.."));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  VALUE(syscall(SYS_getcwd, text, sizeof text));
}

CASE("getcwd of a directory that has been renamed") {
  char text[256];
  mkdir("old", 0755), chdir("old");
  DO(rename("../old", "../new"));
  SAY("getcwd", "%s", getcwd(text, sizeof text));
  put("file", "there\n");
  TEXT(open("../new/file", O_RDONLY));
}

CASE("getcwd of a directory that has gone") {
  char text[256];
  mkdir("gone", 0755), chdir("gone");
  DO(rmdir("../gone"));
  SAY("getcwd", "%s", getcwd(text, sizeof text) ? text : nameOf(errno));
  OPEN(open("x", O_CREAT | O_WRONLY, 0644));
  OPEN(open(".", O_RDONLY));
  DO(chdir(".."));
}

CASE("chdir takes directories that may be entered") {
  files();
  DO(chdir("file"));
  DO(chdir("nowhere"));
  DO(chdir("dir/"));
  DO(chdir("../dir/."));
}

CASE("directories are made and removed") {
  DO(mkdir("one", 0755));
  DO(mkdir("one", 0755));
  DO(mkdir("two/", 0755));
  DO(mkdir("three/four", 0755));
  DO(mkdir("one/.", 0755));
  DO(mkdir("one/..", 0755));
  DO(mkdir("/", 0755));
  DO(rmdir("two/"));
  put("one/file", "");
  DO(rmdir("one"));
  DO(rmdir("one/."));
  DO(rmdir("one/.."));
  DO(rmdir("one/file"));
  DO(rmdir("/"));
  DO(unlink("one"));
  DO(unlink("one/file"));
  DO(unlink("one/file"));
  DO(rmdir("one"));
}

CASE("files are renamed") {
  files();
  put("other", "other\n");
  DO(rename("file", "dir/renamed"));
  TEXT(open("dir/renamed", O_RDONLY));
  DO(rename("dir/renamed", "other"));
  TEXT(open("other", O_RDONLY));
  DO(rename("other", "dir"));
  DO(rename("dir", "other"));
  DO(rename("dir", "dir/below"));
  DO(rename("nowhere", "x"));
  DO(rename("other", "new/"));
  DO(rename("dir", "new/"));
  DO(rename("new/.", "x"));
  DO(rename("other", "other"));
}

CASE("renameat2 replaces, keeps and exchanges") {
  files();
  put("other", "other\n");
  DO(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "other", RENAME_NOREPLACE));
  DO(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "other", RENAME_EXCHANGE));
  TEXT(open("file", O_RDONLY));
  TEXT(open("other", O_RDONLY));
  DO(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "new", RENAME_NOREPLACE));
  DO(syscall(SYS_renameat2, AT_FDCWD, "new", AT_FDCWD, "nowhere", RENAME_EXCHANGE));
  DO(syscall(SYS_renameat2, AT_FDCWD, "new", AT_FDCWD, "other", RENAME_EXCHANGE | RENAME_NOREPLACE));
}

CASE("open keeps its flags") {
  files();
  OPEN(open("file", O_RDONLY | O_DIRECTORY));
  OPEN(open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
  OPEN(open("dir", O_WRONLY));
  OPEN(open("dir", O_CREAT | O_RDONLY, 0644));
  OPEN(open("dir", O_RDONLY | O_DIRECTORY));
  int fd = open("file", O_RDWR | O_APPEND);
  VALUE(write(fd, "more", 4));
  VALUE(lseek(fd, 0, SEEK_CUR));
  VALUE(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
  VALUE(fcntl(fd, F_GETFD));
  close(fd);
  fd = open("file", O_RDONLY | O_CLOEXEC | O_TRUNC);
  VALUE(fcntl(fd, F_GETFD));
  VALUE(lseek(fd, 0, SEEK_END));
  VALUE(syscall(SYS_creat, "created", 0600) >= 0);
}

CASE("a new descriptor is the lowest that is free") {
  files();
  int first = open("file", O_RDONLY), second = open("dir", O_RDONLY), third = open("file", O_RDONLY);
  HOLDS(second == first + 1 && third == second + 1);
  close(second);
  HOLDS(open("file", O_RDONLY) == second);
}

CASE("a file without a name gets one by its descriptor") {
  int fd = open(".", O_TMPFILE | O_RDWR, 0644);
  DO(fd);
  VALUE(write(fd, "named\n", 6));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  DO(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  TEXT(open("named", O_RDONLY));
  DO(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
}

CASE("truncate sets the size") {
  struct stat info;
  files();
  DO(truncate("file", 3));
  stat("file", &info);
  VALUE(info.st_size);
  DO(truncate("dir", 0));
  DO(truncate("nowhere", 0));
  DO(truncate("file", -1));
}

CASE("times are set and shown") {
  struct stat info;
  struct timeval times[2] = {{1000, 0}, {2000, 0}};
  struct timespec exact[2] = {{3000, 0}, {4000, 5}};
  files();
  DO(utimes("file", times));
  stat("file", &info);
  VALUE(info.st_mtime);
  DO(utimensat(AT_FDCWD, "file", exact, 0));
  stat("file", &info);
  SAY("mtime", "%ld.%ld", (long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  symlink("file", "link");
  exact[1].tv_sec = 77;
  DO(utimensat(AT_FDCWD, "link", exact, AT_SYMLINK_NOFOLLOW));
  lstat("link", &info);
  VALUE(info.st_mtime);
  stat("link", &info);
  VALUE(info.st_mtime);
  int fd = open("file", O_RDWR);
  exact[1].tv_sec = 88;
  DO(futimens(fd, exact));
  fstat(fd, &info);
  VALUE(info.st_mtime);
  DO(utime("file", &(struct utimbuf){1, 2}));
  stat("file", &info);
  VALUE(info.st_mtime);
  DO(syscall(SYS_futimesat, AT_FDCWD, "file", times));
  DO(utimes("nowhere", times));
}

CASE("statfs tells of the file system") {
  struct statfs system;
  files();
  DO(statfs("file", &system));
  DO(statfs("nowhere", &system));
  DO(statfs("/proc", &system));
  SAY("type of /proc", "%lx", (long)system.f_type);
}

CASE("inotify tells of what happens in a directory") {
  files();
  int watch = inotify_init1(IN_NONBLOCK);
  DO(inotify_add_watch(watch, here("dir"), IN_CREATE));
  put("dir/seen", "");
  char event[512];
  SAY("it tells", "%s", read(watch, event, sizeof event) > 0 ? ((struct inotify_event*)event)->name : nameOf(errno));
  DO(inotify_add_watch(watch, "nowhere", IN_CREATE));
  symlink("dir", "link");
  VALUE(inotify_add_watch(watch, "link", IN_CREATE | IN_DONT_FOLLOW));
  VALUE(inotify_add_watch(watch, "file", IN_CREATE | IN_ONLYDIR));
}

CASE("a directory lists what is in it") {
  mkdir("dir", 0755);
  char name[16];
  for (int i = 0; i < 300; i++) snprintf(name, sizeof name, "dir/%d", i), put(name, "");
  DIR* list = opendir("dir");
  int count = 0, dots = 0;
  for (struct dirent* entry; (entry = readdir(list));) entry->d_name[0] == '.' ? dots++ : count++;
  VALUE(count);
  VALUE(dots);
  rewinddir(list);
  HOLDS(readdir(list) != NULL);
  closedir(list);
}

CASE("a fifo waits for its other end while others go on") {
  DO(mkfifo("fifo", 0644));
  int ends[2];
  pipe(ends);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int fd = open("fifo", O_RDONLY);
    char text[16] = "";
    read(fd, text, sizeof text);
    write(ends[1], text, 5);
    _exit(0);
  }
  struct stat info;
  for (int i = 0; i < 50; i++) stat("fifo", &info);
  HOLDS(S_ISFIFO(info.st_mode));
  int fd = open("fifo", O_WRONLY);
  VALUE(write(fd, "other", 5));
  char text[6] = "";
  read(ends[0], text, 5);
  SAY("read", "%s", text);
  sayChild("the reader", child);
  OPEN(open("fifo", O_WRONLY | O_NONBLOCK));
}

CASE("the root has no parent but itself") {
  struct stat root, above;
  stat("/", &root), stat("/..", &above);
  HOLDS(root.st_ino == above.st_ino && root.st_dev == above.st_dev);
  chdir("/");
  stat("../..", &above);
  HOLDS(root.st_ino == above.st_ino && root.st_dev == above.st_dev);
  int fd = openat(open("/", O_RDONLY | O_DIRECTORY), "..", O_RDONLY);
  fstat(fd, &above);
  HOLDS(root.st_ino == above.st_ino && root.st_dev == above.st_dev);
}

CASE("access asks for the rights of the process") {
  files();
  chmod("file", 0444);
  DO(access("file", F_OK));
  DO(access("file", R_OK | W_OK));
  DO(access("file", X_OK));
  DO(access("nowhere", F_OK));
  DO(access("file/", F_OK));
  DO(access("dir", X_OK));
  DO(access("file", 77));
  DO(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
  symlink("nowhere", "dangling");
  DO(access("dangling", F_OK));
  DO(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
}

#if __SIZEOF_LONG__ == 8
CASE("calls that are made with garbage in the unused registers are the same") {
  files();
  TEXT(syscall(SYS_open, "file", O_RDONLY, -1l, -1l, -1l, -1l));
  DO(syscall(SYS_openat, 0xffffffff00000000ul | (uint32_t)AT_FDCWD, "file", 0xffffffff00000000ul | O_RDONLY, -1l));
  DO(syscall(SYS_access, "file", 0xffffffff00000000ul | R_OK, -1l, -1l));
}
#endif

CASE("limits on descriptors and sizes are those of the process") {

  files();
  CHILD("few descriptors", {
    struct rlimit few = {5, 5};
    setrlimit(RLIMIT_NOFILE, &few);
    int fd;
    while ((fd = open("file", O_RDONLY)) >= 0) {
    }
    SAY("open", "%s", nameOf(errno));
    struct stat info;
    DO(stat("file", &info));
    DO(mkdir("few", 0755));
  });
  CHILD("small files", {
    struct rlimit small = {10, 10};
    setrlimit(RLIMIT_FSIZE, &small);
    signal(SIGXFSZ, SIG_IGN);
    DO(truncate("file", 11));
    DO(truncate("file", 9));
  });
}

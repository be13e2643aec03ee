// Descriptors of directories, and the calls that begin at one.
#include <linux/openat2.h>
#include <sys/xattr.h>

#include "case.h"

static long openHow(int dir, const char* path, int flags, unsigned long resolve) {
  struct open_how how = {.flags = (unsigned long)flags, .mode = flags & O_CREAT ? 0644 : 0, .resolve = resolve};
  return syscall(SYS_openat2, dir, path, &how, sizeof how);
}
static int files(void) {
  put("file", "hello\n");
  mkdir("dir", 0755);
  put("dir/inner", "inner\n");
  return open("dir", O_RDONLY | O_DIRECTORY);
}

CASE("openat begins at the descriptor") {
  int dir = files(), path = open("dir", O_PATH);
  TEXT(openat(dir, "inner", O_RDONLY));
  TEXT(openat(path, "inner", O_RDONLY));
  TEXT(openat(dir, "../file", O_RDONLY));
  TEXT(openat(dir, "./inner", O_RDONLY));
  OPEN(openat(dir, ".", O_RDONLY));
  OPEN(openat(dir, "", O_RDONLY));
}

CASE("an absolute path looks at no descriptor") {
  int file = (files(), open("file", O_RDONLY));
  TEXT(openat(-1, "/conformance/mark", O_RDONLY));
  TEXT(openat(file, "/conformance/mark", O_RDONLY));
  TEXT(openat(999, "/conformance/mark", O_RDONLY));
}

CASE("what is no directory's descriptor is refused") {
  struct stat info;
  int file = (files(), open("file", O_RDONLY)), ends[2];
  pipe(ends);
  OPEN(openat(999, "x", O_RDONLY));
  OPEN(openat(-1, "x", O_RDONLY));
  OPEN(openat(file, "x", O_RDONLY));
  OPEN(openat(file, ".", O_RDONLY));
  OPEN(openat(ends[0], "x", O_RDONLY));
  DO(fstatat(999, "x", &info, 0));
  DO(mkdirat(file, "x", 0755));
  DO(unlinkat(file, "x", 0));
  DO(renameat(file, "x", AT_FDCWD, "y"));
  DO(renameat(AT_FDCWD, "file", ends[0], "y"));
}

CASE("a descriptor follows its directory") {
  struct stat info;
  int dir = files();
  DO(rename("dir", "moved"));
  TEXT(openat(dir, "inner", O_RDONLY));
  DO(mkdirat(dir, "child", 0755));
  DO(stat("moved/child", &info));
  mkdir("dir", 0755);
  put("dir/inner", "impostor\n");
  TEXT(openat(dir, "inner", O_RDONLY));
  TEXT(openat(dir, "../file", O_RDONLY));
  mkdir("deeper", 0755);
  DO(rename("moved", "deeper/moved"));
  TEXT(openat(dir, "inner", O_RDONLY));
  OPEN(openat(dir, "../file", O_RDONLY));
}

CASE("in a directory that has gone nothing is found") {
  mkdir("gone", 0755);
  int dir = open("gone", O_RDONLY | O_DIRECTORY);
  rmdir("gone");
  struct stat info;
  OPEN(openat(dir, "x", O_RDONLY));
  OPEN(openat(dir, "x", O_CREAT | O_WRONLY, 0644));
  OPEN(openat(dir, ".", O_RDONLY));
  DO(fstat(dir, &info));
  VALUE(info.st_nlink);
  mkdir("gone", 0755);
  put("gone/x", "another\n");
  OPEN(openat(dir, "x", O_RDONLY));
}

CASE("the calls on directories' descriptors") {
  struct stat info;
  int dir = files(), other = (mkdir("other", 0755), open("other", O_RDONLY | O_DIRECTORY));
  char text[64] = "";
  DO(mkdirat(dir, "sub", 0755));
  DO(mkdirat(dir, "sub", 0755));
  DO(unlinkat(dir, "sub", 0));
  DO(unlinkat(dir, "sub", AT_REMOVEDIR));
  DO(symlinkat("inner", dir, "link"));
  VALUE(readlinkat(dir, "link", text, sizeof text));
  DO(linkat(dir, "inner", other, "hard", 0));
  DO(renameat(other, "hard", dir, "renamed"));
  DO(fstatat(dir, "renamed", &info, 0));
  VALUE(info.st_nlink);
  DO(mknodat(dir, "fifo", S_IFIFO | 0600, 0));
  DO(faccessat(dir, "inner", R_OK, 0));
  DO(fchmodat(dir, "inner", 0600, 0));
  fstatat(dir, "inner", &info, 0);
  SAY("mode", "%o", info.st_mode);
  DO(fchownat(dir, "inner", 5, 6, 0));
  fstatat(dir, "inner", &info, 0);
  SAY("owner", "%u:%u", info.st_uid, info.st_gid);
  DO(utimensat(dir, "inner", NULL, 0));
  DO(unlinkat(dir, "inner", 0));
  DO(unlinkat(dir, "../other", AT_REMOVEDIR));
}

CASE("a descriptor stands for its file with an empty path") {
  struct stat info;
  struct statx more;
  int dir = files(), file = open("file", O_PATH), link = (symlink("file", "link"), open("link", O_PATH | O_NOFOLLOW));
  DO(fstatat(dir, "", &info, AT_EMPTY_PATH));
  HOLDS(S_ISDIR(info.st_mode));
  DO(fstatat(dir, "", &info, 0));
  DO(fstatat(link, "", &info, AT_EMPTY_PATH));
  HOLDS(S_ISLNK(info.st_mode));
  DO(fstatat(AT_FDCWD, "", &info, AT_EMPTY_PATH));
  HOLDS(S_ISDIR(info.st_mode));
  DO(statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more));
  VALUE(more.stx_size);
  DO(fchownat(file, "", 3, 4, AT_EMPTY_PATH));
  stat("file", &info);
  SAY("owner", "%u:%u", info.st_uid, info.st_gid);
  DO(fchmod(file, 0600));
  DO(fchdir(open("dir", O_PATH)));
}

CASE("fchdir goes where the descriptor is") {
  char text[256];
  int dir = files(), file = open("file", O_RDONLY);
  DO(fchdir(dir));
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
  TEXT(open("inner", O_RDONLY));
  DO(fchdir(file));
  DO(fchdir(999));
}

CASE("openat2 opens as openat does") {
  int dir = files();
  TEXT(openHow(dir, "inner", O_RDONLY, 0));
  OPEN(openHow(dir, "inner", O_RDONLY, 1ul << 40));
  OPEN(openHow(dir, "inner", 1 << 30, 0));
  struct open_how how = {0};
  OPEN(syscall(SYS_openat2, dir, "inner", &how, 8));
  OPEN(syscall(SYS_openat2, dir, "inner", &how, 8192));
  struct { struct open_how how; long more; } longer = {{0}, 0};
  OPEN(syscall(SYS_openat2, dir, "inner", &longer, sizeof longer));
  longer.more = 1;
  OPEN(syscall(SYS_openat2, dir, "inner", &longer, sizeof longer));
  how.mode = 0644;
  OPEN(syscall(SYS_openat2, dir, "inner", &how, sizeof how));
}

CASE("openat2 in a root does not leave it") {
  int dir = files();
  symlink("../file", "dir/up"), symlink("/inner", "dir/absolute");
  TEXT(openHow(dir, "/inner", O_RDONLY, RESOLVE_IN_ROOT));
  TEXT(openHow(dir, "../../inner", O_RDONLY, RESOLVE_IN_ROOT));
  OPEN(openHow(dir, "up", O_RDONLY, RESOLVE_IN_ROOT));
  TEXT(openHow(dir, "absolute", O_RDONLY, RESOLVE_IN_ROOT));
  OPEN(openHow(dir, "made", O_CREAT | O_WRONLY, RESOLVE_IN_ROOT));
  DO(access("dir/made", F_OK));
  OPEN(openHow(dir, "inner", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_BENEATH));
}

CASE("openat2 beneath refuses what leads out") {
  int dir = files();
  symlink("../file", "dir/up"), symlink("/conformance/mark", "dir/absolute"), symlink("inner", "dir/in");
  mkdir("dir/deep", 0755);
  OPEN(openHow(dir, "inner", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "deep/../inner", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "in", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "../file", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "..", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "up", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "absolute", O_RDONLY, RESOLVE_BENEATH));
  OPEN(openHow(dir, "/conformance/mark", O_RDONLY, RESOLVE_BENEATH));
}

CASE("openat2 without links, and without those of /proc") {
  int dir = files();
  symlink("inner", "dir/in"), symlink("dir", "way");
  OPEN(openHow(dir, "in", O_RDONLY, RESOLVE_NO_SYMLINKS));
  OPEN(openHow(AT_FDCWD, "way/inner", O_RDONLY, RESOLVE_NO_SYMLINKS));
  OPEN(openHow(dir, "in", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS));
  OPEN(openHow(dir, "in", O_RDONLY, RESOLVE_NO_MAGICLINKS));
  OPEN(openHow(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS));
  OPEN(openHow(AT_FDCWD, "/proc/self/cwd/file", O_RDONLY, RESOLVE_NO_MAGICLINKS));
}

CASE("descriptors of paths are no more than that") {
  files();
  int path = open("file", O_PATH);
  char byte;
  VALUE(read(path, &byte, 1));
  VALUE(fcntl(path, F_GETFL) & O_PATH);
  DO(fsetxattr(path, "user.a", "b", 1, 0));
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", path);
  TEXT(open(name, O_RDONLY));
  DO(unlink("file"));
  TEXT(open(name, O_RDONLY));
  put("file", "another\n");
  TEXT(open(name, O_RDONLY));
}

CASE("a process uses descriptors of directories that it was passed") {
  int dir = files(), ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  fflush(stdout);
  pid_t child = fork();
  char room[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  if (child == 0) {
    close(dir);
    chdir("/");
    recvmsg(ends[0], &message, 0);
    int got = *(int*)CMSG_DATA(CMSG_FIRSTHDR(&message));
    TEXT(openat(got, "inner", O_RDONLY));
    TEXT(openat(got, "../file", O_RDONLY));
    _exit(0);
  }
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
  *(int*)CMSG_DATA(header) = dir;
  long sent = sendmsg(ends[1], &message, 0);
  sayChild("the receiver", child);
  VALUE(sent);
}
